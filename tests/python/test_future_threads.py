"""headrace.Future outside of event loops, and what ends early: threads, several loops, closed loops, fork, exit."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from typing import Any

import pytest

import headrace
from headrace._core import _bench
from headrace.errors import DeadlineExceeded, Forked


def test_a_thread_waits_for_the_result() -> None:
    submit, close = _bench.by_thread()
    assert submit(42).result() == 42
    assert submit(42).result(timeout=10) == 42
    assert submit(42).exception(10) is None
    with pytest.raises(LookupError, match="gone"):
        submit(LookupError("gone")).result()
    assert isinstance(submit(LookupError("gone")).exception(), LookupError)
    close()


def test_a_timeout_leaves_the_operation_running() -> None:
    submit, finish = _bench.by_hand()
    future = submit(1)
    with pytest.raises(DeadlineExceeded, match=r"no result after 0\.01 s"):
        future.result(0.01)
    with pytest.raises(TimeoutError):
        future.exception(timeout=0)
    assert not future.done()
    finish()
    assert future.result(0) == 1


def test_cancel_frees_the_threads_that_wait() -> None:
    submit, finish = _bench.by_hand()
    future = submit(1)
    outcomes: list[BaseException] = []

    def wait() -> None:
        try:
            future.result()
        except asyncio.CancelledError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    assert future.cancel("over")
    for thread in threads:
        thread.join(10)
    assert [str(error) for error in outcomes] == ["over"] * 3
    finish()


def test_many_threads_each_get_their_own() -> None:
    submit, close = _bench.by_thread()
    wrong: list[int] = []

    def work(base: int) -> None:
        wrong.extend(i for i in range(base, base + 200) if submit(i).result(30) != i)

    threads = [threading.Thread(target=work, args=(1000 * n,)) for n in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    close()


def test_a_thread_and_a_loop_wait_for_one_future() -> None:
    submit, finish = _bench.by_hand()
    results: list[int] = []

    async def main() -> None:
        future = submit(7)
        future.get_loop()
        thread = threading.Thread(target=lambda: results.append(future.result(30)))
        thread.start()
        asyncio.get_running_loop().call_later(0.01, finish)
        results.append(await future)
        thread.join()

    asyncio.run(main())
    assert results == [7, 7]


def test_cancel_from_another_thread_reaches_the_loop() -> None:
    submit, finish = _bench.by_hand()

    async def main() -> None:
        future = submit(7)
        task = asyncio.ensure_future(asyncio.wait([future]))
        await asyncio.sleep(0)
        thread = threading.Thread(target=future.cancel)
        thread.start()
        await task
        thread.join()
        assert future.cancelled()

    asyncio.run(main())
    finish()


def test_two_loops_in_two_threads_share_an_engine() -> None:
    submit, close = _bench.by_thread()
    sums: list[int] = []

    async def main() -> None:
        async def caller(base: int) -> int:
            return sum([await submit(i) - i for i in range(base, base + 200)])

        sums.append(sum(await asyncio.gather(*(caller(1000 * n) for n in range(50)))))

    threads = [threading.Thread(target=lambda: asyncio.run(main())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [0, 0]
    close()


def test_cancels_and_completions_race_and_every_waiter_ends_once() -> None:
    submit, close = _bench.by_thread()
    ended = {"result": 0, "cancelled": 0}

    async def main() -> None:
        async def wait(value: int) -> None:
            try:
                assert await submit(value) == value
                ended["result"] += 1
            except asyncio.CancelledError:
                ended["cancelled"] += 1

        for burst in range(100):
            tasks = [asyncio.ensure_future(wait(i)) for i in range(100)]
            await asyncio.sleep(0)
            for task in tasks[burst % 3 :: 3]:
                task.cancel()
            await asyncio.gather(*tasks)

    asyncio.run(main())
    assert sum(ended.values()) == 10_000
    assert ended["result"] >= 6_600
    close()


@pytest.mark.parametrize("loop_name", ["asyncio", "uvloop"])
@pytest.mark.parametrize("finish_first", [True, False])
def test_a_closed_loop_cancels_what_is_pending(loop_name: str, finish_first: bool) -> None:
    import uvloop

    class Callback:
        def __call__(self, _: object) -> None:
            raise AssertionError("the loop is closed")

    submit, finish = _bench.by_hand()
    loop = asyncio.new_event_loop() if loop_name == "asyncio" else uvloop.new_event_loop()
    future = submit(1)

    async def bind() -> weakref.ref[Callback]:
        callback = Callback()
        future.add_done_callback(callback)
        return weakref.ref(callback)

    kept = loop.run_until_complete(bind())
    if finish_first:
        finish()
    told = _bench.cancels()
    loop.close()
    assert kept() is None
    assert future.done()
    assert future.cancelled() is not finish_first
    assert _bench.cancels() - told == (0 if finish_first else 1)
    if finish_first:
        assert future.result() == 1
    finish()  # late, to a loop that is gone
    assert submit(2).done() is False


def test_loops_come_and_go_without_leaking_descriptors() -> None:
    submit, close = _bench.by_thread()

    async def main() -> None:
        assert await submit(1) == 1

    asyncio.run(main())
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(50):
        asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) <= before
    close()


def test_a_loop_that_is_never_closed_is_collected_with_its_port() -> None:
    submit, close = _bench.by_thread()

    async def main() -> None:
        assert await submit(1) == 1

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    ref = weakref.ref(loop)
    del loop
    with pytest.warns(ResourceWarning, match="unclosed event loop"):
        gc.collect()
    assert ref() is None
    gc.collect()
    close()


def test_memory_does_not_grow() -> None:
    submit, close = _bench.by_thread()

    def resident() -> int:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    async def main(count: int) -> None:
        for i in range(count):
            futures = [submit(object()) for _ in range(100)]
            futures[0].cancel()
            del futures[1]
            await asyncio.gather(*futures[1:])
            if i % 2:
                submit(ValueError()).cancel()

    asyncio.run(main(50))
    before = resident()
    asyncio.run(main(300))
    assert resident() - before < 4_000_000
    close()


def test_after_fork_the_parents_futures_say_so_and_new_ones_work() -> None:
    submit, finish = _bench.by_hand()

    async def main() -> None:
        waiting = submit(1)
        task = asyncio.ensure_future(asyncio.wait([waiting]))
        done = submit(2)
        await asyncio.sleep(0)
        child = os.fork()
        if child == 0:
            os._exit(in_child(waiting, done))
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        finish()
        await task
        assert waiting.result() == 1

    def in_child(waiting: Any, done: Any) -> int:
        def fresh() -> None:
            submit_here, close = _bench.by_thread()

            async def again() -> None:
                assert await asyncio.gather(*(submit_here(i) for i in range(10))) == list(range(10))

            asyncio.run(again())
            assert submit_here(5).result() == 5
            close()

        def refused() -> None:
            with pytest.raises(Forked):
                waiting.result()
            with pytest.raises(Forked):
                waiting.add_done_callback(print)
            assert waiting.cancel() is False

        try:
            errors: list[object] = []
            threading.excepthook = lambda args: errors.append(args.exc_value)
            for part in (refused, fresh):
                thread = threading.Thread(target=part)  # this one still counts as running a loop
                thread.start()
                thread.join(30)
                if errors or thread.is_alive():
                    print(errors, file=sys.stderr)
                    return 1
        except BaseException as error:
            print(error, file=sys.stderr)
            return 2
        return 0

    asyncio.run(main())


PROGRAMS = {
    "a thread waits for ever": "import threading\nthreading.Thread(target=submit(1).result, daemon=True).start()\n",
    "a task waits for ever": "async def main():\n"
    "    asyncio.ensure_future(asyncio.wait([submit(1)]))\n"
    "    await asyncio.sleep(0)\n"
    "asyncio.run(main())\n",
    "a loop is left open": "loop = asyncio.new_event_loop()\n"
    "async def main():\n"
    "    submit(1).add_done_callback(print)\n"
    "loop.run_until_complete(main())\n",
    "nobody awaits": "kept = submit(1)\n",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_interpreter_exits(name: str) -> None:
    program = f"import asyncio, headrace\nsubmit, close = headrace._core._bench.by_hand()\n{PROGRAMS[name]}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_ctrl_c_ends_a_wait_within_a_tenth_of_a_second() -> None:
    program = (
        "import headrace, signal, time\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a background job inherits it ignored
        "submit, close = headrace._core._bench.by_hand()\n"
        "try:\n"
        "    print('ready', flush=True)\n"
        "    submit(1).result()\n"
        "except KeyboardInterrupt:\n"
        "    print(time.monotonic(), flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        sent = time.monotonic()
        child.send_signal(signal.SIGINT)
        assert float(child.stdout.readline()) - sent < 1.0  # 50 ms slices; the rest is for a busy machine
        assert child.wait(10) == 0


def test_threads_do_not_import_asyncio() -> None:
    program = (
        "import sys, headrace\n"
        "submit, close = headrace._core._bench.by_thread()\n"
        "assert submit(1).result() == 1\n"
        "close()\n"
        "assert 'asyncio' not in sys.modules, 'imported'\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_the_public_name() -> None:
    assert headrace.Future is headrace._core.Future
    assert headrace.Future.__module__ == "headrace"
