"""A server on one core and wrk on another: requests per second, and per CPU second of the server.

Shared by the benchmarks that compare servers. Compare ratios of one run, not figures of different ones.
"""

from __future__ import annotations

import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from headrace.errors import ConnectionFailed
from headrace.experiment.http.server import await_listening

SERVER_CORE, GENERATOR_CORE = 0, 1
_POST = 'wrk.method = "POST"\nwrk.body = [[{body}]]\n'


class CannotMeasure(Exception):
    """A server or wrk failed, or something is missing; the text says which."""


@dataclass(frozen=True)
class Sample:
    """One contender in one round."""

    rate: float
    per_cpu_s: float


def median(samples: Iterable[Sample]) -> Sample:
    """Of both figures, each by itself."""
    every = list(samples)
    return Sample(statistics.median(s.rate for s in every), statistics.median(s.per_cpu_s for s in every))


def check_machine() -> None:
    """Raises CannotMeasure where wrk, taskset or the second core is missing."""
    if shutil.which("wrk") is None or shutil.which("taskset") is None or len(os.sched_getaffinity(0)) < 2:
        raise CannotMeasure("needs wrk and taskset (script/bootstrap --all installs them) and two cores")


@contextmanager
def serving(name: str, command: Sequence[str], port: int, folder: Path) -> Iterator[psutil.Process]:
    """Runs a contender on its core until it is left; begins when it listens on ``port``."""
    with tempfile.TemporaryFile("w+") as words:
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command], cwd=folder, stdout=subprocess.DEVNULL, stderr=words
        )

        def last_words() -> str:
            words.seek(0)
            return " | ".join(words.read().strip().splitlines()[-3:])

        try:
            await_listening(process, port, last_words)
            yield psutil.Process(process.pid)
        except ConnectionFailed as error:
            raise CannotMeasure(f"{name}: {error}") from None
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def cpu(process: psutil.Process) -> float:
    """Seconds that it and its workers have used."""
    used = [process.cpu_times(), *(child.cpu_times() for child in process.children(recursive=True))]
    return float(sum(each.user + each.system for each in used))


def wrk(name: str, process: psutil.Process, url: str, seconds: int, *, body: str = "", connections: int = 64) -> Sample:
    """One load: GET, or POST of ``body`` when there is one."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_POST.format(body=body) if body else "")
        script.flush()
        load = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", script.name, url]
        command = ["taskset", "-c", str(GENERATOR_CORE), *load]
        before = cpu(process)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        used = cpu(process) - before
    text = done.stdout + done.stderr
    rate, count = re.search(r"Requests/sec:\s+([\d.]+)", text), re.search(r"(\d+) requests in", text)
    if "Non-2xx" in text or "Socket errors" in text or rate is None or count is None or used == 0:
        raise CannotMeasure(f"{name} did not answer as it should; wrk said:\n{text}")
    return Sample(float(rate[1]), int(count[1]) / used)
