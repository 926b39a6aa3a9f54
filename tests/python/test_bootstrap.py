"""script/bootstrap says what is missing and what to do, and asks nothing.

The programs of the machine (dpkg-query, sudo, python3) are stand-ins.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEBIAN = "ID=debian\nVERSION_ID=12\n"


class Machine:
    """A checkout that holds only script/, on a machine whose programs are made by ``program``."""

    def __init__(self, folder: Path, os_release: str) -> None:
        self.checkout = folder / "checkout"
        self.programs = folder / "programs"
        self.programs.mkdir()
        shutil.copytree(ROOT / "script", self.checkout / "script")
        folder.joinpath("os-release").write_text(os_release)
        self.env = {
            "PATH": f"{self.programs}:{os.environ['PATH']}",
            "OS_RELEASE": str(folder / "os-release"),
            "PYTHON": str(self.program("python-of-the-day", "exit 0")),
        }

    def program(self, name: str, body: str) -> Path:
        file = self.programs / name
        file.write_text(f"#!/bin/sh\n{body}\n")
        file.chmod(0o755)
        return file

    def bootstrap(self, *args: str, **env: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.checkout / "script" / "bootstrap"), *args]
        everything = {**self.env, **env}
        return subprocess.run(
            command, env=everything, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )


@pytest.fixture
def debian(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, DEBIAN)
    machine.program("dpkg-query", "exit 1")
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    return machine


@pytest.fixture
def elsewhere(tmp_path: Path) -> Machine:
    return Machine(tmp_path, "ID=arch\n")


def test_without_root_and_sudo_it_names_the_packages_and_the_command(debian: Machine) -> None:
    result = debian.bootstrap()
    assert result.returncode == 1
    assert "neither root nor sudo is available" in result.stderr
    assert "    apt-get install g++ cmake" in result.stderr
    assert "libboost1.81-dev" in result.stderr
    assert "clang-14" not in result.stderr


def test_ubuntu_has_boost_under_another_name(tmp_path: Path) -> None:
    machine = Machine(tmp_path, 'ID=ubuntu\nVERSION_ID="24.04"\n')
    machine.program("dpkg-query", "exit 1")
    machine.program("id", "echo 1000")
    machine.program("sudo", "exit 1")
    message = machine.bootstrap().stderr
    assert " libboost-dev" in message
    assert "libboost1.81-dev" not in message


def test_missing_packages_are_installed_through_sudo_without_questions(debian: Machine) -> None:
    calls = debian.checkout.parent / "calls"
    debian.program("sudo", f"printf '%s\\n' \"$*\" >>{calls}")
    debian.bootstrap()
    asked, update, install = calls.read_text().splitlines()
    assert asked == "-n true"
    assert update.startswith("-n env DEBIAN_FRONTEND=noninteractive apt-get")
    assert update.endswith(" update")
    assert " install -y --no-install-recommends g++ " in install


def test_what_the_tests_use_may_be_missing_unless_it_is_required(debian: Machine) -> None:
    debian.program("dpkg-query", "for p; do echo \"ii :$p \"; done | grep -v clang | tr '\\n' ' '")
    debian.program("python-of-the-day", 'case $* in *version*) echo "Python 3.9.2"; exit 1 ;; esac')
    lenient = debian.bootstrap("--all")
    assert "Missing system packages: clang-14 libclang-rt-14-dev" in lenient.stderr
    assert "too old" in lenient.stderr  # it went on, as far as the interpreter
    strict = debian.bootstrap("--all", HEADRACE_REQUIRE_ALL="1")
    assert strict.returncode == 1
    assert "too old" not in strict.stderr


def test_other_systems_get_the_list_and_go_on(elsewhere: Machine) -> None:
    elsewhere.program("python-of-the-day", 'case $* in *version*) echo "Python 3.9.2"; exit 1 ;; esac')
    result = elsewhere.bootstrap()
    assert "these must be\nthere already" in result.stderr
    assert "libhiredis-dev" in result.stderr
    assert "Python 3.9.2 is too old: Python 3.11 or newer is needed. Set PYTHON to one." in result.stderr
    assert result.returncode == 1


def test_other_systems_are_refused_where_everything_is_required(elsewhere: Machine) -> None:
    result = elsewhere.bootstrap("--all", HEADRACE_REQUIRE_ALL="1")
    assert result.returncode == 1
    assert "this system is not supported" in result.stderr


def test_missing_interpreter_is_named(elsewhere: Machine) -> None:
    result = elsewhere.bootstrap(PYTHON="python9.9")
    assert result.returncode == 1
    assert "python9.9 was not found" in result.stderr


def test_unknown_argument_is_bad_usage(debian: Machine) -> None:
    result = debian.bootstrap("--everything")
    assert (result.returncode, result.stderr) == (2, "usage: script/bootstrap [--all]\n")


@pytest.mark.parametrize("script", ["bootstrap", "test"])
def test_help_shows_the_usage_and_does_nothing(script: str) -> None:
    result = subprocess.run([ROOT / "script" / script, "--help"], capture_output=True, text=True, check=True)
    assert f"script/{script} " in result.stdout
    assert "set -" not in result.stdout
