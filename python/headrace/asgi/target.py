"""From ``module:app`` to an application."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path
from typing import Any, cast

from headrace.asgi.types import Application, Receive, Scope, Send
from headrace.errors import InvalidArgument


def load(target: str | Application, *, factory: bool = False) -> Application:
    """Imports what ``"package.module:attribute.path"`` names, from the current folder too. Raises InvalidArgument.

    ``factory``: it is called without arguments and gives the application. An application of ASGI 2 (a callable of one
    argument) is wrapped.
    """
    found: Any = _import(target) if isinstance(target, str) else target
    if factory:
        found = found()
    if not callable(found):
        raise InvalidArgument(f"{target!r} is not an ASGI application: it cannot be called")
    return _double_callable(found) if _is_asgi2(found) else cast(Application, found)


def _import(target: str) -> object:
    module_name, _, attributes = target.partition(":")
    if not module_name or not attributes:
        raise InvalidArgument(f"{target!r} does not name an application; write module:attribute")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: object = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not module_name.startswith(error.name):
            raise  # something that the application itself imports
        raise InvalidArgument(f"there is no module {module_name!r}") from None
    for name in attributes.split("."):
        try:
            found = getattr(found, name)
        except AttributeError:
            raise InvalidArgument(f"{module_name!r} has no {attributes!r}") from None
    return found


def _is_asgi2(application: object) -> bool:
    """One required argument, and not a coroutine function: the first of the two calls of ASGI 2."""
    if inspect.isclass(application):
        return len(inspect.signature(application).parameters) == 1
    try:
        parameters = inspect.signature(application).parameters.values()  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return len(parameters) == 1 and all(p.kind in kinds for p in parameters)


def _double_callable(application: Any) -> Application:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        await application(scope)(receive, send)

    return run
