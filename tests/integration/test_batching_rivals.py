"""The rivals of the batching experiment do what they claim: every item done, with its own result."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def figures(tmp_path: Path, group: str, *contenders: str) -> dict[str, list[dict[str, Any]]]:
    """The samples of a small run; a contender that leaves an item undone or wrong fails it."""
    out = tmp_path / "out.json"
    program = [sys.executable, str(ROOT / "experiments/batching/side_by_side.py")]
    argv = [*program, "--quick", "--json", str(out), "--only", group, "--contenders", *contenders]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    document = json.loads(out.read_text())
    found: dict[str, list[dict[str, Any]]] = document["groups"][0]["samples"]
    assert set(found) == set(contenders), done.stdout
    return found


def needs(*modules: str) -> None:
    for name in modules:
        if importlib.util.find_spec(name) is None:
            missing = f"{name} is not installed; script/bootstrap --all installs it"
            if os.environ.get("HEADRACE_REQUIRE_SERVERS") == "1":
                pytest.fail(missing)
            pytest.skip(missing)


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_loaders_answer_every_item(tmp_path, loop):
    needs("aiodataloader", "strawberry", "uvloop")
    for runs in figures(tmp_path, f"await-{loop}", "aiodataloader", "strawberry").values():
        assert runs[0]["done"] == runs[0]["items"] > 0
        assert runs[0]["rate"] > 0


def test_loaders_map(tmp_path):
    needs("aiodataloader", "strawberry")
    figures(tmp_path, "map", "aiodataloader", "strawberry")


def test_the_open_loop_offers_its_rate_and_has_percentiles(tmp_path):
    (run,) = figures(tmp_path, "open-loop", "tasks")["tasks"]
    assert run["items"] == 150_000
    assert 0 < run["latency_p50_ms"] <= run["latency_p99.9_ms"]


def test_executors_answer_every_item(tmp_path):
    figures(tmp_path, "threads", "executor-1", "executor-2", "executor-32")


@pytest.mark.broker
@pytest.mark.skipif(shutil.which("redis-server") is None, reason="apt install redis-server")
def test_redis_clients_find_every_record(tmp_path):
    needs("aiodataloader", "redis")
    figures(tmp_path, "redis", "aiodataloader-mget", "redis-py-pool")


def test_sqlite_finds_every_record(tmp_path):
    needs("aiodataloader")
    figures(tmp_path, "sqlite", "sqlite3-alone", "aiodataloader")


@pytest.mark.skipif(shutil.which("go") is None, reason="apt install golang-go")
def test_the_go_pool_answers_every_unit(tmp_path):
    found = figures(tmp_path, "pool", "go-lots", "go-one-now")
    assert found["go-one-now"][0]["response_p50_us"] > 0
