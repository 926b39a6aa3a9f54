"""The exception tree is what its docstring draws."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from headrace import errors

CLASSES = {name: cls for name, cls in vars(errors).items() if isinstance(cls, type) and issubclass(cls, Exception)}
NODE = re.compile(r"^(?P<indent>[│ ]*)[├└]── (?P<name>\w+)( +\(also (?P<also>\w+)\))? +\S")


def drawn_tree() -> dict[str, tuple[str, ...]]:
    """Class name to the names of its bases, read from the drawing."""
    assert errors.__doc__ is not None
    bases: dict[str, tuple[str, ...]] = {"HeadraceError": ("Exception",)}
    parents = ["HeadraceError"]
    for line in errors.__doc__.splitlines():
        node = NODE.match(line)
        if node is None:
            continue
        depth = len(node["indent"]) // 4 + 1
        also = (node["also"],) if node["also"] else ()
        bases[node["name"]] = (parents[depth - 1], *also)
        parents[depth:] = [node["name"]]
    return bases


def test_tree_is_as_drawn() -> None:
    assert drawn_tree() == {name: tuple(b.__name__ for b in cls.__bases__) for name, cls in CLASSES.items()}


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_every_error_keeps_its_message(name: str) -> None:
    assert str(CLASSES[name]("what failed, where, what to do")) == "what failed, where, what to do"


def test_every_class_named_by_the_native_module_exists() -> None:
    source = Path(__file__).parents[2] / "cpp" / "bindings" / "errors.cpp"
    named = set(re.findall(r'return "(\w+)";', source.read_text()))
    assert named
    assert named <= set(CLASSES)


def test_standard_handlers_catch_ours() -> None:
    assert issubclass(errors.DeadlineExceeded, TimeoutError)
    assert issubclass(errors.ConnectionFailed, ConnectionError)
    assert issubclass(errors.InvalidArgument, ValueError)
