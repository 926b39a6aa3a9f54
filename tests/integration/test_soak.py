"""Minutes of bad luck under load (``script/test --long``): nothing that was acknowledged may be lost."""

from __future__ import annotations

import itertools
import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from headrace.mq import Consumer, Producer
from headrace.redis import Client
from headrace.servers import RedisServer

pytestmark = [pytest.mark.broker, pytest.mark.soak]

MQ = Path(__file__).parents[2] / "experiments" / "mq"
KILL_FOR_S = 150
CUT_FOR_S = 60
RATE = 2000


@contextmanager
def program(name: str, out: Path, *args: str) -> Iterator[subprocess.Popen[str]]:
    with out.open("w") as stream:
        argv = [sys.executable, str(MQ / name), *args]
        process = subprocess.Popen(argv, stdout=stream, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def ended_well(process: subprocess.Popen[str], within: float) -> None:
    _, said = process.communicate(timeout=within)
    assert process.returncode == 0, said


def processed(tmp_path: Path, producers: list[Path], consumers: list[Path]) -> dict[str, Any]:
    argv = [sys.executable, "-m", "headrace", "mq", "process", "--out", str(tmp_path / "out"), "--json"]
    argv += ["--producers", *map(str, producers), "--consumers", *map(str, consumers)]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    counts: dict[str, Any] = json.loads(done.stdout)["counts"]
    return counts


@pytest.mark.timeout(KILL_FOR_S + 240)
def test_a_redis_killed_again_and_again_under_load_loses_nothing_acknowledged(
    tmp_path: Path, make_redis_server: Callable[..., RedisServer]
) -> None:
    server = make_redis_server(appendfsync="always")
    total = RATE * KILL_FOR_S
    where = ["--url", server.url, "--topic", "soak", "--threads", "2"]
    sent, received = tmp_path / "p.csv", tmp_path / "c.csv"
    with ExitStack() as stack:
        paced = ["--size", "200", "--count", str(total // 2), "--rate", str(RATE)]
        producer = stack.enter_context(program("producer.py", sent, *where, *paced))
        consumer = stack.enter_context(program("consumer.py", received, *where, "--count", str(total)))
        kills = kill_until(producer, server, time.monotonic() + KILL_FOR_S)
        ended_well(producer, 120)
        ended_well(consumer, 60)
    counts = processed(tmp_path, [sent], [received])
    assert kills >= KILL_FOR_S / 15
    assert (counts["sent"], counts["acked"], counts["received"], counts["lost"]) == (total, total, total, 0)


def kill_until(producer: subprocess.Popen[str], server: RedisServer, end: float) -> int:
    """SIGKILL and restart at moments that follow no rhythm; how often."""
    moments = random.Random(3)
    for kills in itertools.count():
        time.sleep(moments.uniform(1, 8))
        if time.monotonic() > end or producer.poll() is not None:
            return kills
        server.kill()
        time.sleep(moments.uniform(0, 1))
        server.restart()
    raise AssertionError("unreachable")


@pytest.mark.timeout(CUT_FOR_S + 120)
def test_connections_cut_many_times_a_second_lose_nothing_and_keep_no_memory(
    shared_redis_server: RedisServer,
) -> None:
    url, topic = shared_redis_server.url, "cut"
    stop, sent, seen = threading.Event(), set[str](), set[str]()

    def produce() -> None:
        with Producer(url, topic=topic, window=500) as producer:
            while not stop.is_set():
                sent.update(producer.send(b"x" * 100) for _ in range(200))
                producer.flush(30)

    def consume() -> None:
        with Consumer(url, topic=topic, batch=100) as consumer:
            while not stop.is_set() or seen != sent:
                batch = consumer.receive(30)
                assert batch, f"{len(sent - seen)} messages are missing"
                seen.update(message.id for message in batch)
                batch.ack()

    early = 0
    workers = [threading.Thread(target=target, daemon=True) for target in (produce, consume)]
    with Client(url) as client:
        for worker in workers:
            worker.start()
        end = time.monotonic() + CUT_FOR_S
        while time.monotonic() < end and all(worker.is_alive() for worker in workers):
            time.sleep(0.1)
            client.execute("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            if early == 0 and time.monotonic() > end - CUT_FOR_S / 2:
                early = resident_bytes() - per_message() * len(sent)
        stop.set()
        for worker in workers:
            worker.join(60)
            assert not worker.is_alive()
    assert len(sent) > 10 * CUT_FOR_S
    assert seen == sent
    assert resident_bytes() - per_message() * len(sent) - early < 64 * 1024 * 1024


def per_message() -> int:
    """What this test itself remembers of a message: its id in two sets."""
    return 2 * (sys.getsizeof("k3x9q2m7ab1c-03-0000001234") + 32)


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096
