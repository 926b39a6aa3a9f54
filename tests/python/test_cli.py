"""The command line from outside: exit codes, one clear line for a mistake, never a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from headrace.cli.mq import spread

ROOT = Path(__file__).parents[2]


def headrace(*args: str, **options) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "headrace", *args]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, cwd=ROOT, **options)
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["nosuch"], "No such command 'nosuch'"),
        (["run"], "Missing argument 'SPEC'"),
        (["run", "x.toml", "--colour"], "No such option"),
        (["run", "experiments/mq/quickstart.toml", "--repeat", "0"], "repeat must be"),
        (["run", "experiments/mq/quickstart.toml", "--repeat", "many"], "--repeat"),
        (["run", "experiments/mq/quickstart.toml", "--set", "size=0"], "size must be a whole number from 1"),
        (["run", "experiments/mq/quickstart.toml", "--set", "size"], "expected KEY=VALUE"),
        (["run", "experiments/mq/quickstart.toml", "--set", "url=ftp://x"], "unknown scheme 'ftp'"),
        (["run", "experiments/mq/quickstart.toml", "--set", "topic="], "topic must be"),
        (["compare", "only-one"], "two runs"),
        (["mq", "produce", "--url", "redis://x"], "Missing option '--topic'"),
        (["mq", "produce", "--url", "redis://x", "--topic", "t", "--threads", "few"], "--threads"),
        (["mq", "process", "--producers", "p.csv"], "Missing option"),
        (["load", "http"], "no URL was given"),
        (["load", "http", "ftp://127.0.0.1/"], "not http:// or https://"),
        (["load", "http", "http://127.0.0.1:1/", "--users", "0"], "must be between 1 and 1000000"),
        (["load", "http", "http://127.0.0.1:1/", "--think", "soon"], "cannot read the pause"),
        (["load", "http", "http://127.0.0.1:1/", "--header", "X"], "write 'Name: value'"),
        (["load", "http", "http://127.0.0.1:1/", "--connection", "none"], "keep-alive or close"),
        (["load", "http", "http://127.0.0.1:1/", "--fail-if", "slow"], "cannot read the rule"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_2(args, said):
    done = headrace(*args)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.startswith("headrace: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.parametrize(
    "args",
    [["run", "nowhere.toml"], ["report", "nowhere"], ["compare", "nowhere", "elsewhere"]],
    ids=lambda args: args[0],
)
def test_a_missing_file_is_one_line_and_exit_code_1(args):
    done = headrace(*args)
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_missing_server_is_named_with_its_package(tmp_path):
    done = headrace("run", "experiments/mq/quickstart.toml", "--out", str(tmp_path), env={"PATH": str(tmp_path)})
    if done.returncode == 1 and "not installed" in done.stderr:
        assert "apt install redis-server" in done.stderr
        assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ["doctor"],
        ["run"],
        ["compare"],
        ["report"],
        ["mq", "produce"],
        ["mq", "consume"],
        ["mq", "process"],
        ["load", "http"],
    ],
    ids=" ".join,
)
def test_help_has_an_example_and_json(command):
    done = headrace(*command, "--help", env={"COLUMNS": "200", "TERM": "dumb"})
    assert done.returncode == 0
    assert f"Example: headrace {' '.join(command)} " in done.stdout
    assert "--json" in done.stdout


def test_version_is_printed():
    from headrace import __version__

    assert headrace("--version").stdout == f"headrace {__version__}\n"


def test_doctor_describes_machine_and_build_as_json():
    done = headrace("doctor", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["features"]["inproc"] is None
    assert found["machine"]["cores"] >= 1
    assert all(m["median_us"] > 0 for m in found["measured"])
    redis = next(p for p in found["programs"] if p["name"] == "redis-server")
    assert redis["install"] == "apt install redis-server"


def test_doctor_fits_a_pipe_and_a_reader_that_leaves():
    line = f"{sys.executable} -m headrace doctor | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60, cwd=ROOT)
    assert done.stdout.startswith("headrace")
    assert done.stderr == ""


def test_the_command_line_starts_without_pandas():
    program = "import sys, headrace.cli.app; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not {"pandas", "numpy", "pyarrow", "rich.console"} & set(loaded.split())


def test_one_option_takes_all_values_that_follow():
    names = ("--producers", "--consumers")
    args = ["--producers", "a", "b", "c", "--out", "d", "--consumers", "e"]
    assert spread(args, names) == [
        *("--producers", "a", "--producers", "b", "--producers", "c"),
        *("--out", "d", "--consumers", "e"),
    ]
    assert spread(["--producers", "a", "--json"], names) == ["--producers", "a", "--json"]
    assert spread(["--producers=a", "--out", "d"], names) == ["--producers=a", "--out", "d"]


@pytest.mark.parametrize("program", ["producer.py", "consumer.py", "process.py"])
def test_the_seeds_programs_explain_themselves(program):
    argv = [sys.executable, str(ROOT / "experiments/mq" / program), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    assert f"python experiments/mq/{program}" in done.stdout
