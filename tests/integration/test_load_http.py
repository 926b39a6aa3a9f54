"""The load generator against our own server and against servers that misbehave, over loopback; a few seconds in all."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

import headrace
from headrace import load
from headrace.errors import ConnectionFailed, InvalidArgument
from headrace.load.live import Progress
from headrace.servers.base import free_port
from headrace.servers.certificate import self_signed

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = headrace.http.Server()
    server.route("GET", "/hello", native="hello")
    server.route("POST", "/echo", native="echo")
    server.route("GET", "/later/{ms}", native="later")
    server.route("GET", "/stream/{bytes}", native="stream")
    with server.running() as where:
        yield where


@contextmanager
def peer(*answers: bytes, hold: bool = False) -> Iterator[str]:
    """Answers connection after connection with ``answers`` in turn, then closes; with ``hold`` it keeps silent."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []

    def serve() -> None:
        number = 0
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if hold:
                kept.append(connection)
                continue
            with connection:
                if connection.recv(4096):
                    connection.sendall(answers[number % len(answers)])
            number += 1

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for connection in kept:
            connection.close()


def command(*args: str, **options) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-m", "headrace", "load", "http", *args]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, **options)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def test_a_closed_loop_with_pauses_shows_users_over_response_time(url):
    result = load.http(f"{url}/later/50", users=10, duration_s=1.0, warm_up_s=0.1, think_s=0.05)
    assert result.failed == 0
    assert result.rate <= 10 / 0.1
    assert result.rate > 40  # 100 on an idle machine
    assert result.percentile(0) >= 50
    assert result.concurrency < 10


def test_in_flight_requests_are_waited_for_and_counted(url):
    result = load.http(f"{url}/later/400", users=5, duration_s=0.2)
    assert result.transactions == 0
    assert result.counts["late_ok"] == 5
    assert result.availability == 100.0
    assert result.response.count == 5
    assert "5 answered afterwards" in result.summary()


def test_an_open_loop_counts_from_the_intended_time(url):
    result = load.http(f"{url}/later/100", rate=100, connections=5, duration_s=0.5, drain_s=10.0)
    # Five connections of 100 ms serve 50/s, so the queue grows: that must show, and be said.
    assert result.verdict == "invalid"
    assert result.percentile(99) > 200
    assert result.service.percentile(50) / 1e6 < result.percentile(99)
    assert result.counts["begun"] + result.unsent == 50


def test_a_server_that_stalls_cannot_hide_it_in_an_open_loop():
    port = free_port()
    program = ROOT / "experiments/http_executors/peers/stalling_server.py"
    with subprocess.Popen([sys.executable, str(program), str(port), "0.2", "1.0"]) as server:
        try:
            listening(port)
            where = f"http://127.0.0.1:{port}/"
            rate = load.http(where, rate=500, warm_up_s=0.2, duration_s=2.0)
            users = load.http(where, users=5, duration_s=2.0)
        finally:
            server.kill()
    # A fifth of the requests are due in a stall of 200 ms: p90 is its half, p99 nearly all of it.
    assert rate.percentile(90) > 80
    assert rate.percentile(99) > 160
    assert users.percentile(90) < rate.percentile(90) / 2  # the users waited with it


def listening(port: int) -> None:
    """Until somebody accepts; the test's own timeout ends a vain wait."""
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)


def test_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    server = headrace.http.Server(host="::1")
    server.route("GET", "/hello", native="hello")
    with server.running() as where:
        assert load.http(f"{where}/hello", count=20, users=2).transactions == 20


def test_poisson_arrivals_are_the_seeds(url):
    runs = [
        load.http(f"{url}/hello", rate=2000, arrivals="poisson", duration_s=0.2, seed=seed).counts for seed in (1, 1, 2)
    ]
    offered = [counts["begun"] + counts["unsent"] for counts in runs]
    assert offered[0] == offered[1]
    assert 300 < offered[0] < 500


def test_content_headers_and_expectations(url):
    result = load.http(
        f"{url}/echo", method="post", body="needle in hay", headers={"Content-Type": "text/x"}, count=20, users=2,
        expect_status=200, expect_body="needle",
    )  # fmt: skip
    assert (result.transactions, result.failed) == (20, 0)
    assert result.counts["bytes"] == 20 * 13
    result = load.http(f"{url}/nowhere", count=20, users=2, fail_if=["failed>0"])
    assert result.outcomes["bad_status"] == 20
    assert "status 404" in result.samples["bad_status"]
    assert (result.verdict, result.exit_code) == ("failed", 1)
    assert load.http(f"{url}/nowhere", count=20, users=2, expect_status="4xx").transactions == 20


def test_large_answers_in_chunks_arrive_whole(url):
    result = load.http(f"{url}/stream/3000000", count=6, users=3)
    assert result.transactions == 6
    assert result.counts["bytes"] == 6 * 3_000_000


def test_rows_are_recorded_one_by_one(url, tmp_path):
    file = tmp_path / "rows.csv"
    result = load.http(f"{url}/hello", f"{url}/nowhere", count=40, users=4, threads=2, csv=file)
    rows = result.rows()
    assert list(rows.columns) == ["intended", "sent", "ended", "status", "bytes", "outcome", "url"]
    assert len(rows) == 40
    assert (rows["outcome"].value_counts().to_dict()) == {"ok": 20, "bad_status": 20}
    assert (rows["ended"] >= rows["sent"]).all()
    assert (rows["sent"] >= rows["intended"]).all()
    assert abs(rows["ended"].max() - time.time()) < 60


def test_tls_is_verified_unless_told_otherwise(tmp_path):
    cert, key = self_signed(tmp_path, host="127.0.0.1")
    server = headrace.http.Server(cert_file=str(cert), key_file=str(key))
    server.route("GET", "/hello", native="hello")
    with server.running() as where:
        good = load.http(f"{where}/hello", count=50, users=5, ca_file=cert)
        assert (good.transactions, good.failed) == (50, 0)
        assert good.counts["connects"] == 5
        assert load.http(f"{where}/hello", count=20, users=2, verify=False, keep_alive=False).transactions == 20
        with pytest.raises(ConnectionFailed, match="certificate: self-signed"):
            load.http(f"{where}/hello", users=5)
        wrong_name = where.replace("127.0.0.1", "localhost")
        assert load.http(f"{wrong_name}/hello", count=5, users=1, ca_file=cert).transactions == 5
    with (
        pytest.raises(ConnectionFailed, match="no request has been answered"),
        peer(b"HTTP/1.1 400 No\r\n\r\n") as plain,
    ):
        load.http(plain.replace("http:", "https:"), users=2)


def test_plain_http_on_a_tls_port_is_told(tmp_path):
    cert, key = self_signed(tmp_path, host="127.0.0.1")
    server = headrace.http.Server(cert_file=str(cert), key_file=str(key))
    server.route("GET", "/hello", native="hello")
    with server.running() as where, pytest.raises(ConnectionFailed, match="no request has been answered"):
        load.http(where.replace("https:", "http:"), users=2)


def test_a_server_that_is_not_there_is_one_line():
    done = command(f"http://127.0.0.1:{free_port()}/", "--duration", "30")
    assert done.returncode == 1
    assert "connection refused" in done.stderr.lower()
    assert "is the server running" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_name_that_does_not_resolve_is_one_line():
    done = command("http://no-such-host.invalid/", "--duration", "30")
    assert done.returncode == 1
    assert "no-such-host.invalid" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("answer", "how"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf", "cut_short"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "cut_short"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", "bad_response"),
        (b"what?\r\n", "bad_response"),
    ],
)
def test_a_server_that_answers_badly_now_and_then_is_counted(answer, how):
    good = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    with peer(good, answer) as where:
        result = load.http(where, users=1, count=20, keep_alive=False)
    assert result.outcomes["ok"] == 10
    assert result.outcomes[how] == 10
    assert how in result.summary()


def test_a_server_that_never_answers_is_timed_out_and_in_the_percentiles():
    with peer(hold=True) as where:
        result = load.http(where, users=3, duration_s=0.5, timeout=0.2, drain_s=1.0)
    assert result.outcomes["timed_out"] >= 6
    assert result.percentile(50) >= 200
    assert result.verdict == "failed"


def test_connections_are_opened_anew_when_the_server_ends_them():
    server = headrace.http.Server(max_requests_per_connection=10, idle_timeout_s=0.1)
    server.route("GET", "/hello", native="hello")
    with server.running() as where:
        announced = load.http(f"{where}/hello", users=8, count=400)
        assert (announced.transactions, announced.failed) == (400, 0)
        assert 40 <= announced.counts["connects"] < 48  # each of 8 users may stop in the middle of a connection
        idle = load.http(f"{where}/hello", users=4, count=12, think_s=0.4)
        assert (idle.transactions, idle.failed) == (12, 0)
        assert idle.counts["connects"] == 12


def test_local_ports_that_run_out_are_taken_from_other_loopback_addresses():
    program = (
        "open('/proc/sys/net/ipv4/ip_local_port_range', 'w').write('40000 40031')\n"
        "import headrace\n"
        "server = headrace.http.Server()\n"
        "server.route('GET', '/hello', native='hello')\n"
        "with server.running() as url:\n"
        "    result = headrace.load.http(url + '/hello', users=100, count=400)\n"
        "print(result.transactions, result.failed, result.counts['sources'] > 1)\n"
        "print(result.summary())"
    )
    shell = ["unshare", "--map-root-user", "--net", "sh", "-c"]
    if subprocess.run([*shell, "ip link set lo up"], capture_output=True, check=False).returncode != 0:
        pytest.skip("this kernel gives no network of its own to a user (unshare --map-root-user --net)")
    argv = [*shell, f'ip link set lo up && exec "{sys.executable}" -c "$0"', program]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("400 0 True"), done.stdout + done.stderr
    assert "local ports ran out" in done.stdout


def test_more_users_than_descriptors_are_refused():
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))\n"
        "from headrace import load\n"
        "try: load.http('http://127.0.0.1:1/', users=1000)\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("InvalidArgument")
    assert "ulimit -n" in done.stdout


def test_the_command_prints_the_summary_json_and_rows(url, tmp_path):
    done = command(f"{url}/hello", "--users", "4", "--count", "100", "--fail-if", "failed>0")
    assert done.returncode == 0, done.stdout
    assert done.stdout.startswith("Transactions:")
    assert done.stderr == ""
    done = command(f"{url}/hello", "--count", "100", "--json", "--threads", "2", "--connection", "close")
    data = json.loads(done.stdout)
    assert (data["transactions"], data["counts"]["connects"]) == (100, 100)
    assert data["settings"]["threads"] == 2
    done = command(f"{url}/hello", "--count", "10", "--csv", "-")
    assert done.stdout.count("\n") == 11
    assert done.stderr.startswith("Transactions:")
    urls = tmp_path / "urls"
    urls.write_text(f"{url}/hello\n{url}/echo POST abc\n")
    done = command("-f", str(urls), "-n", "10", "-c", "2", "--json")
    assert json.loads(done.stdout)["transactions"] == 10


def test_a_broken_rule_sets_the_exit_code(url):
    done = command(f"{url}/hello", "--count", "10", "--fail-if", "rate<1000000000")
    assert done.returncode == 1
    assert "Verdict: failed" in done.stdout


def test_ctrl_c_gives_the_summary_so_far_at_once(url):
    argv = [sys.executable, "-m", "headrace", "load", "http", f"{url}/later/5", "--duration", "600"]
    terminal = pexpect.spawn(argv[0], argv[1:], timeout=30, encoding="utf-8", dimensions=(24, 160))
    terminal.expect(r"[1-9]\d* ok")  # the live line
    began = time.monotonic()
    terminal.sendintr()
    terminal.expect("Transactions:")
    terminal.expect("Verdict: interrupted")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert time.monotonic() - began < 3.0
    assert terminal.exitstatus == 130


def test_an_interruption_carries_the_result(url):
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(load.Interrupted) as stopped:
        load.http(f"{url}/later/1", duration_s=60)
    timer.join()
    result = stopped.value.result
    assert result.interrupted
    assert result.transactions > 0
    assert result.elapsed_s < 30


def test_waiting_for_a_load_takes_no_cpu_and_leaves_nothing_behind():
    threads_before = {t.name for t in threading.enumerate()}
    with peer(hold=True) as where:
        before = time.process_time()
        result = load.http(where, users=50, duration_s=1.0, drain_s=0.0)
        used = time.process_time() - before
    assert result.unfinished == 50
    assert used < 0.2
    assert {t.name for t in threading.enumerate()} <= threads_before
    names = [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
    assert not any(name.startswith("headrace-load") for name in names)


def test_progress_is_told_while_it_runs(url):
    seen: list[Progress] = []
    load.http(f"{url}/later/5", users=5, duration_s=1.0, on_progress=seen.append)
    assert seen[-1].counts["ok"] > 0
    assert seen[-1].p50_ms >= 5
    assert [p.elapsed_s for p in seen] == sorted(p.elapsed_s for p in seen)


def test_a_load_needs_no_scheme_and_refuses_another(url):
    assert load.http(url.removeprefix("http://") + "/hello", count=5, users=1).transactions == 5
    with pytest.raises(InvalidArgument, match="not http://"):
        load.http("ftp://127.0.0.1/")
