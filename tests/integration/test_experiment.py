"""Experiments through the real programs, on a private Redis and in-process."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from headrace import experiment

ROOT = Path(__file__).parents[2]


def small(out: Path, **settings: Any) -> Any:
    """The closed run of one case with ``settings``."""
    spec = experiment.parse_spec({"experiment": {"name": "small"}, "case": {"timeout": 60.0, **settings}})
    return experiment.run(spec, out=out, progress=False)


def command(*args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "headrace", *args]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=100, cwd=ROOT, **options)
    assert "Traceback" not in done.stderr
    return done


@pytest.mark.broker
def test_the_quickstart_is_valid_and_names_its_files(tmp_path):
    done = command("run", "experiments/mq/quickstart.toml", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr + done.stdout
    assert "VALID" in done.stdout
    assert "report.html" in done.stdout


@pytest.mark.broker
@pytest.mark.parametrize(("producers", "consumers"), [(1, 5), (5, 1), (3, 3)])
def test_shapes_account_for_every_message(tmp_path, producers, consumers):
    done = small(tmp_path, producers=producers, consumers=consumers, count=500)
    assert (done.verdict, done.reasons) == ("valid", [])
    summary = done.cases[0].summary
    assert summary["acked"] == summary["received"] == producers * 500


@pytest.mark.broker
def test_threads_batches_and_a_schedule_account_for_every_message(tmp_path):
    settings = {"threads": 2, "consumer_threads": 2, "batch": 10, "rate": 2000.0, "arrivals": "poisson"}
    done = small(tmp_path, count=1000, size=100, **settings)
    assert (done.verdict, done.reasons) == ("valid", [])


@pytest.mark.broker
@pytest.mark.parametrize(
    "settings", [{"password": "p w"}, {"unix_socket": True}, {"tls": True}], ids=lambda s: next(iter(s))
)
def test_every_way_into_a_private_redis_works(tmp_path, settings):
    done = small(tmp_path, count=100, redis=settings)
    assert (done.verdict, done.reasons) == ("valid", [])


def test_the_in_process_broker_needs_no_server(tmp_path):
    done = small(tmp_path, url="inproc://here", producers=2, consumers=2, count=1000)
    assert (done.verdict, done.reasons) == ("valid", [])


@pytest.mark.broker
def test_the_topic_on_a_server_that_stays_is_removed(tmp_path, redis_server):
    assert small(tmp_path, url=redis_server.url, count=50).verdict == "valid"
    assert redis_server.call("DBSIZE") == 0


@pytest.mark.broker
def test_a_redis_killed_in_mid_run_loses_nothing_acknowledged(tmp_path, make_redis_server):
    server = make_redis_server(appendfsync="always")
    argv = [sys.executable, "-m", "headrace", "run", "experiments/mq/quickstart.toml", "--out", str(tmp_path), "--json"]
    sets = {"url": server.url, "rate": 2000, "count": 8000, "size": 100, "claim_idle": 2}
    argv += [word for key, value in sets.items() for word in ("--set", f"{key}={json.dumps(value)}")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT) as runner:
        wait_until(lambda: any(server.call("XLEN", key) > 2000 for key in server.call("KEYS", "*")))
        server.kill()
        server.restart()
        out, said = runner.communicate(timeout=90)
    found = json.loads(out)
    assert found["cases"][0]["lost"] == 0, said
    assert found["cases"][0]["acked"] == 8000, said
    assert found["verdict"] in ("valid", "generator-limited", "invalid")  # the outage may cost the schedule


@pytest.mark.broker
@pytest.mark.parametrize(
    ("url", "said"),
    [("redis://:wrong@127.0.0.1:{port}", "wrong"), ("redis://127.0.0.1:1", "127.0.0.1:1")],
    ids=["wrong password", "refused"],
)
def test_a_broker_that_cannot_be_used_fails_the_case_in_one_line(tmp_path, make_redis_server, url, said):
    server = make_redis_server(password="right")
    done = command(
        *("run", "experiments/mq/quickstart.toml", "--out", str(tmp_path)),
        *("--set", f"url={url.format(port=server.port)}"),
    )
    assert done.returncode == 1
    assert "FAILED" in done.stdout


@pytest.mark.broker
def test_the_three_programs_by_hand(tmp_path, redis_server):
    def program(name: str, *args: str, out: str) -> None:
        argv = [sys.executable, str(ROOT / "experiments/mq" / name), *args]
        with (tmp_path / out).open("w") as stream:
            subprocess.run(argv, stdout=stream, check=True, timeout=60, stderr=subprocess.PIPE)

    where = ["--url", redis_server.url, "--topic", "odd, topic/7", "--threads", "2"]
    program("producer.py", *where, "--count", "100", out="p.csv")
    program("consumer.py", *where, "--count", "200", out="c.csv")
    files = ["--producers", str(tmp_path / "p.csv"), "--consumers", str(tmp_path / "c.csv")]
    program("process.py", *files, "--out", str(tmp_path / "out"), out="table.txt")
    assert len((tmp_path / "out/latencies.csv").read_text().splitlines()) >= 200
    assert "VALID" in (tmp_path / "table.txt").read_text()

    done = command("mq", "process", *files, "--out", str(tmp_path / "again"), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["counts"]["received"] == 200


@pytest.mark.broker
@pytest.mark.parametrize(
    ("option", "value"),
    [("--size", "0"), ("--size", "-1"), ("--threads", "0"), ("--topic", ""), ("--url", "ftp://x"), ("--count", "-5")],
)
def test_bad_values_are_one_line_and_exit_code_2(redis_server, option, value):
    options = {"--url": redis_server.url, "--topic": "t", option: value}
    done = command("mq", "produce", *[word for pair in options.items() for word in pair])
    assert done.returncode == 2
    assert done.stderr.startswith("headrace: ")
    assert done.stderr.count("\n") == 1
    assert done.stdout == ""


@pytest.mark.broker
def test_a_reader_that_leaves_early_sees_no_traceback(redis_server):
    args = f"--url {redis_server.url} --topic t --count 100000"
    line = f"{sys.executable} -m headrace mq produce {args} | head -1"
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.stdout.count("\n") == 1
    assert "Traceback" not in done.stderr


def wait_until(condition: Any) -> None:
    """Until it holds; the test's own timeout ends a vain wait."""
    while not condition():
        time.sleep(0.02)
