"""`import headrace` is cheap and tells the truth about its version."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys

import pytest

import headrace

HEAVY = ("pandas", "pyarrow", "plotly", "rich", "typer", "numpy")


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_import_loads_nothing_heavy() -> None:
    loaded = run(f"import sys, headrace; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded.strip() == "[]"


def test_version_has_one_source() -> None:
    assert headrace.__version__ == importlib.metadata.version("headrace")


def test_unknown_attribute_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = headrace.nonsense


def test_dir_lists_the_public_names() -> None:
    assert dir(headrace) == sorted(headrace.__all__)


def test_import_and_exit_leave_nothing_behind() -> None:
    assert run("import headrace; headrace.build_config()") == ""
