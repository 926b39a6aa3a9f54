"""The CMake configure step: what is missing is named, and the feature switches do as they say."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CMAKE = shutil.which("cmake")

pytestmark = pytest.mark.skipif(CMAKE is None, reason="needs cmake")


Result = subprocess.CompletedProcess[str]


def configure(source: Path, build: Path, env: dict[str, str], *defines: str) -> Result:
    assert CMAKE is not None
    command = [CMAKE, "-S", str(source), "-B", str(build), "-G", "Ninja", *(f"-D{d}" for d in defines)]
    return subprocess.run(command, env={**os.environ, **env}, capture_output=True, text=True, check=False)


def only_pkg_config(folder: Path, *hidden: str) -> dict[str, str]:
    """An environment in which pkg-config knows all that this machine has, except ``hidden``."""
    query = ["pkg-config", "--variable", "pc_path", "pkg-config"]
    known = subprocess.run(query, capture_output=True, text=True, check=True).stdout.strip().split(":")
    folder.mkdir()
    for directory in reversed([d for d in known if Path(d).is_dir()]):
        for file in Path(directory).glob("*.pc"):
            link = folder / file.name
            link.unlink(missing_ok=True)
            if file.stem not in hidden:
                link.symlink_to(file)
    return {"PKG_CONFIG_LIBDIR": str(folder), "PKG_CONFIG_PATH": ""}


def test_all_missing_libraries_are_named_with_one_command(tmp_path: Path) -> None:
    env = only_pkg_config(tmp_path / "pc", "hiredis", "libxxhash")
    result = configure(ROOT, tmp_path / "build", env)
    assert result.returncode != 0
    assert "hiredis>=0.14" in result.stderr
    assert "libxxhash>=0.8" in result.stderr
    assert "apt install libhiredis-dev libxxhash-dev\n" in result.stderr


def test_source_distribution_has_every_file_of_the_build(tmp_path: Path) -> None:
    code = "import sys; from scikit_build_core.build import build_sdist; print(build_sdist(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path)]
    subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    with tarfile.open(next(tmp_path.glob("headrace-*.tar.gz"))) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    folders = ("cmake", "cpp/include", "cpp/src", "cpp/bindings", "python/headrace")
    files = [f for folder in folders for f in (ROOT / folder).rglob("*") if f.is_file()]
    needed = {str(f.relative_to(ROOT)) for f in files if f.suffix not in (".pyc", ".so")}
    assert needed - packed == set()


class FakeFeature:
    """A project of three lines with one optional feature, FAKE, whose library can be there or not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.joinpath("CMakeLists.txt").write_text(
            "cmake_minimum_required(VERSION 3.25)\n"
            "project(fake LANGUAGES C)\n"
            f'include("{ROOT}/cmake/Features.cmake")\n'
            'headrace_feature(FAKE PC "fake>=2" APT libfake-dev)\n'
            'message(STATUS "HAS=${HEADRACE_HAS_FAKE}")\n'
            "get_property(rows GLOBAL PROPERTY HEADRACE_FEATURES)\n"
            'message(STATUS "ROWS=${rows}")\n'
        )

    def configure(self, present: bool, *defines: str) -> Result:
        libraries = self.folder / "pc"
        libraries.mkdir()
        if present:
            libraries.joinpath("fake.pc").write_text("Name: fake\nDescription: fake\nVersion: 2.1\n")
        return configure(self.folder, self.folder / "build", {"PKG_CONFIG_PATH": str(libraries)}, *defines)


@pytest.fixture
def fake(tmp_path: Path) -> FakeFeature:
    return FakeFeature(tmp_path)


@pytest.mark.parametrize("switch", ["AUTO", "ON"])
def test_present_library_is_used(fake: FakeFeature, switch: str) -> None:
    result = fake.configure(True, f"HEADRACE_WITH_FAKE={switch}")
    assert result.returncode == 0, result.stderr
    assert "HAS=ON" in result.stdout
    assert '{"fake", true, "fake>=2", "libfake-dev", "HEADRACE_WITH_FAKE"}' in result.stdout


def test_auto_goes_on_without_the_library_and_says_so(fake: FakeFeature) -> None:
    result = fake.configure(False)
    assert result.returncode == 0, result.stderr
    assert "feature FAKE: OFF (fake>=2 was not found; apt install libfake-dev)" in result.stdout
    assert '{"fake", false, "fake>=2"' in result.stdout


def test_off_leaves_a_present_library_alone(fake: FakeFeature) -> None:
    result = fake.configure(True, "HEADRACE_WITH_FAKE=OFF")
    assert result.returncode == 0, result.stderr
    assert "feature FAKE: OFF (switched off)" in result.stdout


@pytest.mark.parametrize("switch", ["HEADRACE_WITH_FAKE", "HEADRACE_WITH_ALL"])
def test_required_library_that_is_missing_is_an_error(fake: FakeFeature, switch: str) -> None:
    result = fake.configure(False, f"{switch}=ON")
    assert result.returncode != 0
    assert f"{switch}=ON" in result.stderr
    assert "apt install libfake-dev\n" in result.stderr


def test_all_does_not_turn_on_what_is_switched_off(fake: FakeFeature) -> None:
    result = fake.configure(False, "HEADRACE_WITH_FAKE=OFF", "HEADRACE_WITH_ALL=ON")
    assert result.returncode == 0, result.stderr
    assert "HAS=OFF" in result.stdout
