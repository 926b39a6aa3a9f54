"""Every submodule of headrace._core has a stub; script/test compares the stubs with the module (mypy.stubtest)."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import headrace
from headrace import _core

STUBS = Path(headrace.__file__).parent / "_core"


def test_every_native_submodule_has_a_stub() -> None:
    submodules = {name for name, value in vars(_core).items() if isinstance(value, ModuleType)}
    assert submodules - {stub.stem for stub in STUBS.glob("*.pyi")} == set()
