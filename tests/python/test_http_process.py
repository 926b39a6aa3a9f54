"""``process`` routes of headrace.http.App, and what happens to their workers."""

from __future__ import annotations

import os
import pickle
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import exec_helpers
import http_process_handlers as handlers
import pytest
from http_helpers import Asking, ask, until

from headrace.errors import InvalidArgument
from headrace.http import App


@pytest.fixture
def app() -> Iterator[App]:
    made = App(process_workers=2, process_settings={"kill_grace_s": 0.05})
    yield made
    made.close()


def test_a_worker_sees_the_request_and_answers(app: App) -> None:
    app.post("/see/{id}", executor="process")(handlers.see)
    with app.running() as url:
        answer = ask(url, "/see/a%20b?x=1", method="POST", body=b'{"n": 1}')
    told = answer.json()
    assert told.pop("pid") != os.getpid()
    assert answer.headers["x-from"] == "worker"
    assert told == {"id": "a b", "query": {"x": ["1"]}, "json": {"n": 1}, "client": "127.0.0.1", "method": "POST"}


@pytest.mark.parametrize("size", [0, 100, 40_000, 65_536, 70_000, 1 << 20, 10_000_000])
def test_content_of_any_size_goes_there_and_back(app: App, size: int) -> None:
    app.post("/echo", executor="process")(handlers.echo)
    content = os.urandom(size)
    with app.running() as url:
        for _ in range(2):
            assert ask(url, "/echo", method="POST", body=content).body == content


def test_lambdas_run_in_workers_and_generators_come_whole(app: App) -> None:
    app.get("/lambda", executor="process")(lambda request: "here")
    app.get("/pieces", executor="process")(handlers.pieces)
    with app.running() as url:
        assert ask(url, "/lambda").body == b"here"
        assert ask(url, "/pieces").body == b"0\n1\n2\n"


def test_what_a_worker_raises_is_logged_here(app: App, caplog: pytest.LogCaptureFixture) -> None:
    app.get("/fail", executor="process")(handlers.fail)
    app.get("/odd", executor="process")(handlers.odd)
    app.get("/http", executor="process")(handlers.http_error)
    with app.running() as url:
        answer = ask(url, "/fail")
        assert (answer.status, b"secret" in answer.body) == (500, False)
        until(lambda: "GET /fail" in caplog.text and "a secret" in caplog.text)
        assert ask(url, "/odd").status == 500
        until(lambda: "GET /odd" in caplog.text)
        assert ask(url, "/http").status == 418
    assert app.stats()["GET /fail"].failed == 1


def test_a_worker_that_dies_costs_its_own_request_only(app: App) -> None:
    app.get("/die", executor="process")(handlers.die)
    app.get("/pid", executor="process")(handlers.pid)
    with app.running() as url:
        asked = [Asking(url, "/pid") for _ in range(10)]
        lost = ask(url, "/die")
        assert lost.status == 502
        assert b"worker" in lost.body
        asked += [Asking(url, "/pid") for _ in range(10)]
        assert {each.answer().status for each in asked} == {200}
    assert app.stats()["GET /die"].lost == 1
    assert app.stats()["GET /pid"].replied == 20


def test_a_worker_killed_from_outside_costs_its_own_request_only(app: App) -> None:
    app.get("/wait", executor="process", concurrency=1)(handlers.say_pid_and_wait)
    app.get("/pid", executor="process")(handlers.pid)
    with app.running() as url, handlers.Mailbox() as box:
        asked = Asking(url, f"/wait?box={box.path}")
        os.kill(box.read_int(), signal.SIGKILL)
        assert asked.answer().status == 502
        assert ask(url, "/pid").status == 200


def test_a_deadline_stops_the_worker_and_a_late_answer_reaches_nobody(app: App) -> None:
    app.get("/hang", executor="process", deadline=0.2)(handlers.hang)
    app.get("/pid", executor="process")(handlers.pid)
    with app.running() as url:
        before = {ask(url, "/pid").body for _ in range(20)}
        assert ask(url, "/hang").status == 504
        until(lambda: app.stats()["GET /hang"].running == 0)
        after = {ask(url, "/pid").body for _ in range(20)}
    assert app.stats()["GET /hang"].timed_out == 1
    assert all(each.isdigit() for each in before | after)


def test_workers_that_do_not_get_ready_are_reported() -> None:
    app = App(process_workers=1, process_settings={"initializer": os._exit, "initargs": (3,), "breaker_failures": 1})
    app.get("/pid", executor="process")(handlers.pid)
    with app.running() as url:
        answer = ask(url, "/pid")
    assert answer.status == 502
    assert b"worker" in answer.body
    app.close()


def test_workers_that_crash_at_their_start_are_given_up_and_come_back(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.touch()
    settings = {
        "initializer": exec_helpers.die_once,
        "initargs": (str(bomb),),
        "breaker_failures": 2,
        "breaker_reset_s": 0.2,
    }
    app = App(process_workers=1, process_settings=settings)
    app.get("/pid", executor="process")(handlers.pid)
    app.get("/thread", executor="thread")(handlers.pid)
    with app.running() as url:
        lost = ask(url, "/pid")
        assert lost.status == 502
        assert b"worker" in lost.body
        assert ask(url, "/thread").status == 200
        bomb.unlink()
        until(lambda: ask(url, "/pid").status == 200)
    app.close()


def test_a_worker_that_leaks_is_replaced_and_no_request_notices() -> None:
    app = App(process_workers=1, process_settings={"max_memory": 150 * 2**20})
    app.get("/grow", executor="process")(handlers.grow)
    app.get("/pid", executor="process")(handlers.pid)
    with app.running() as url:
        leaking = ask(url, "/grow").body
        until(lambda: ask(url, "/pid").body != leaking)
    assert app.stats()["GET /pid"].lost == 0
    assert app.stats()["GET /grow"].replied == 1
    app.close()


@pytest.mark.parametrize("ending", ["exit_0", "segfault", "write_to_channel"])
def test_a_worker_that_misbehaves_in_a_handler_costs_that_request_only(app: App, ending: str) -> None:
    app.get("/bad", executor="process")(getattr(handlers, ending))
    app.get("/pid", executor="process")(handlers.pid)
    with app.running() as url:
        asked = [Asking(url, "/pid") for _ in range(10)]
        assert ask(url, "/bad").status == 502
        assert {each.answer().status for each in asked} == {200}
    assert app.stats()["GET /bad"].lost == 1


def test_what_a_handler_prints_stays_out_of_its_answer(app: App, capfd: pytest.CaptureFixture[str]) -> None:
    app.get("/print", executor="process")(handlers.print_and_answer)
    with app.running() as url:
        assert ask(url, "/print").body == b"answered"
    assert capfd.readouterr().out == "printed\n"


def test_a_handler_that_cannot_be_sent_is_refused_at_the_start(app: App) -> None:
    lock = threading.Lock()
    app.get("/locked", executor="process")(lambda request: str(lock))
    with pytest.raises(InvalidArgument, match="GET /locked: the handler cannot be sent"):
        app.running().__enter__()


def test_accepted_work_runs_in_a_worker(app: App) -> None:
    app.post("/jobs", executor="process")(handlers.accept)
    with app.running() as url, handlers.Mailbox() as box:
        answer = ask(url, f"/jobs?box={box.path}", method="POST")
        assert answer.status == 202
        assert box.read_int() != os.getpid()
        assert app.wait_detached(20)
        assert ask(url, answer.json()["status_url"]).json()["state"] == "done"
    assert app.stats()["POST /jobs"].detached_finished == 1


def test_accepted_work_whose_worker_dies_has_failed(app: App) -> None:
    app.post("/jobs", executor="process")(handlers.accept_death)
    with app.running() as url:
        answer = ask(url, "/jobs", method="POST").json()
        assert app.wait_detached(20)
        assert ask(url, answer["status_url"]).json()["state"] == "failed"


def test_full_is_503(app: App) -> None:
    app.get("/wait", executor="process", concurrency=1, max_queue_size=0)(handlers.say_pid_and_wait)
    with app.running() as url, handlers.Mailbox() as box:
        asked = Asking(url, f"/wait?box={box.path}")
        pid = box.read_int()
        refused = ask(url, "/wait")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        os.kill(pid, signal.SIGKILL)
        asked.answer()


def test_answers_that_are_no_answers_are_refused() -> None:
    from headrace import _core

    whole: Any = _core.http.pack_answer({"a": 1})
    assert pickle.loads(pickle.dumps(whole)) == whole
    with pytest.raises(ValueError, match="no request"):
        _core.http.unpack_request(b"\xff\xff\xff\xff", b"")
