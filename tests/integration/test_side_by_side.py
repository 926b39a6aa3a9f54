"""The comparison program runs the rivals, and they do what they claim."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MQ = ROOT / "experiments" / "mq"

pytestmark = [
    pytest.mark.broker,
    pytest.mark.skipif(shutil.which("redis-server") is None, reason="apt install redis-server"),
]


def run(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(MQ / "side_by_side.py"), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=110)


def quick(tmp_path: Path, *args: str) -> dict[str, Any]:
    """The JSON of a small run of the rivals; every run in it has checked the stream and the group."""
    done = run("--quick", "--without-ours", "--json", str(tmp_path / "out.json"), *args)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads((tmp_path / "out.json").read_text())
    return {group["group"]["name"]: group["samples"] for group in document["groups"]}


@pytest.fixture
def rivals() -> list[str]:
    has_hiredis = shutil.which("cc") and Path("/usr/include/hiredis/hiredis.h").exists()
    present = ["hiredis"] if has_hiredis else []
    if importlib.util.find_spec("redis") and importlib.util.find_spec("hiredis"):
        present.append("redis-py")
    if not present:
        pytest.skip("apt install gcc pkg-config libhiredis-dev, or pip install 'redis[hiredis]'")
    return present


def test_every_rival_produces_all_messages(tmp_path: Path, rivals: list[str]) -> None:
    groups = quick(tmp_path, "--only", "producer-everysec-64", "producer-always-1")
    assert set(groups) == {"producer-everysec-64", "producer-always-1"}
    for samples in groups.values():
        assert list(samples) == rivals
        assert all(len(runs) == 1 and runs[0]["rate"] > 0 for runs in samples.values())


def test_every_rival_drains_the_stream_and_acknowledges_it(tmp_path: Path, rivals: list[str]) -> None:
    groups = quick(tmp_path, "--only", "consumer-100", "pair-everysec")
    assert all(list(samples) == rivals for samples in groups.values())


def test_latencies_are_measured_at_a_window_of_one(tmp_path: Path, rivals: list[str]) -> None:
    groups = quick(tmp_path, "--only", "producer-everysec-1")
    for runs in groups["producer-everysec-1"].values():
        assert 0 < runs[0]["p50_us"] <= runs[0]["p99_us"]


def test_headrace_sends_the_same_entries_and_drains_them(tmp_path: Path) -> None:
    target = tmp_path / "out.json"
    groups = ["producer-everysec-64", "consumer-100", "pair-everysec", "inproc"]
    done = run("--quick", "--contenders", "headrace", "--json", str(target), "--only", *groups)
    assert done.returncode == 0, done.stderr
    measured = json.loads(target.read_text())["groups"]
    assert [group["group"]["name"] for group in measured] == groups
    assert all(list(group["samples"]) == ["headrace"] for group in measured)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--only", "nonsense"], "no group 'nonsense'"),
        (["--rounds", "0"], "--rounds must be at least 1"),
        (["--spec", "does-not-exist.toml"], "does-not-exist.toml"),
    ],
)
def test_bad_usage_is_one_line_and_status_2(args: list[str], message: str) -> None:
    done = run(*args)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
