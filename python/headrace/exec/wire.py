"""The Python half of what travels between an executor and its workers; the native half calls it by name."""

from __future__ import annotations

import builtins
import contextlib
import dis
import pickle
import traceback
import types
from collections.abc import Callable
from typing import Any

from headrace import _core

__all__ = [
    "Large",
    "RemoteTraceback",
    "dumps",
    "dumps_by_value",
    "encode_function",
    "name_unpicklable",
    "pack_error",
    "take_bytes",
]

_CONSTANT = (
    type(None),
    bool,
    int,
    float,
    complex,
    str,
    bytes,
    types.ModuleType,
    types.BuiltinFunctionType,
)


class Large:
    """bytes or a bytearray that travels beside the pickle."""

    __slots__ = ("data",)

    def __init__(self, data: bytes | bytearray) -> None:
        self.data = data

    def __reduce_ex__(self, _protocol: Any) -> tuple[Callable[[Any], Any], tuple[pickle.PickleBuffer]]:
        rebuild = bytearray if isinstance(self.data, bytearray) else take_bytes
        return rebuild, (pickle.PickleBuffer(_core.exec.export(self.data)),)


def take_bytes(buffer: Any) -> bytes:
    """The bytes of a `Large`, at the other end."""
    return buffer if type(buffer) is bytes else _core.exec.copy_out(buffer)


def dumps_by_value(obj: object, protocol: int, buffer_callback: Any = None) -> bytes:
    """What pickle cannot, or must not, name: lambdas, and everything of ``__main__``."""
    import cloudpickle

    return bytes(cloudpickle.dumps(obj, protocol, buffer_callback))


def dumps(obj: object) -> bytes:
    """By name where that will do, else by value."""
    by_name = b""
    with contextlib.suppress(Exception):
        by_name = pickle.dumps(obj, protocol=5)
    return by_name if by_name and b"__main__" not in by_name else dumps_by_value(obj, 5)


def encode_function(function: Any) -> tuple[bytes, bool]:
    """A function as bytes, and whether the same object will always be the same bytes."""
    by_name = b""
    with contextlib.suppress(Exception):
        by_name = pickle.dumps(function, protocol=5)
    if by_name and b"__main__" not in by_name:
        return by_name, True
    return dumps_by_value(function, 5), _captures_only_constants(function)


def _captures_only_constants(function: Any) -> bool:
    """Whether nothing that a function sees can change: then it need not be pickled for every call.

    A global name can be bound anew, so only builtins, and names that are not there at all, are safe.
    """
    if not isinstance(function, types.FunctionType) or function.__dict__:
        return False
    captured = [*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    if function.__closure__ is not None or not all(isinstance(value, _CONSTANT) for value in captured):
        return False
    return _names_only_builtins(function.__code__, function.__globals__)


def _names_only_builtins(code: types.CodeType, names: dict[str, Any]) -> bool:
    if any(name in names for name in code.co_names) or not all(
        hasattr(builtins, name) or _is_attribute(code, name) for name in code.co_names
    ):
        return False
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return all(_names_only_builtins(each, names) for each in inner)


def _is_attribute(code: types.CodeType, name: str) -> bool:
    return all(
        i.opname not in ("LOAD_GLOBAL", "LOAD_NAME", "IMPORT_NAME", "STORE_GLOBAL")
        for i in dis.get_instructions(code)
        if i.argval == name
    )


class RemoteTraceback(Exception):
    """Where in the worker it was raised; the ``__cause__`` of an exception that came from there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f"\n{self.text}"


def pack_error(error: BaseException) -> tuple[bytes | None, str, str]:
    """(pickled exception or None, its description, traceback): something that always pickles."""
    text = "".join(traceback.format_exception(error))
    try:
        error.__traceback__ = None
        by_name = pickle.dumps(error, protocol=5)
        pickled = dumps_by_value(error, 5) if b"__main__" in by_name else by_name
        pickle.loads(pickled)  # some exceptions can be pickled and not be made again
    except Exception:
        return None, f"{type(error).__qualname__}: {_text_of(error)}", text
    return pickled, "", text


def unpack_error(packed: tuple[bytes | None, str, str]) -> BaseException:
    """What is raised in the parent."""
    pickled, description, text = packed
    try:
        error = RuntimeError(description) if pickled is None else pickle.loads(pickled)
    except Exception as failure:
        error = RuntimeError(f"an exception of a worker could not be unpickled: {failure}")
    if not isinstance(error, BaseException):
        error = RuntimeError(f"a worker raised what is no exception: {error!r}")
    error.__cause__ = RemoteTraceback(text)
    return error


def name_unpicklable(error: BaseException, function: object, args: tuple[Any, ...]) -> None:
    """Add to a pickling error which part of the call it was."""
    name = getattr(function, "__qualname__", type(function).__qualname__)
    for number, argument in enumerate(args):
        try:
            dumps_by_value(argument, 5)
        except Exception:
            error.add_note(f"while sending {name}(...) to a worker process: argument {number} cannot be pickled")
            return
    error.add_note(f"while sending {name}(...) to a worker process")


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "(its text could not be made)"
