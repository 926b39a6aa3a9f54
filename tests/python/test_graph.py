"""Graphs from threads: dependencies, results, failures, cancellation, growth, limits, what they show of themselves."""

from __future__ import annotations

import functools
import os
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
from batch_helpers import eventually

import headrace
from headrace import Graph, Node, errors


def test_a_node_as_argument_is_a_dependency_and_its_result() -> None:
    with Graph() as g:
        two = g.submit(lambda: 2)
        three = g.submit(lambda x: x + 1, two)
        six = g.submit(lambda x, *, y: x * y, three, y=two)
        total = g.submit(sum, [two, three, six])
        pair = g.submit(lambda p: p, (two, "x"))
    assert isinstance(six, Node)
    assert (two.result(), three.result(), six.result(), total.result()) == (2, 3, 6, 11)
    assert pair.result() == (2, "x")
    assert six.done()
    assert not six.cancelled()
    assert six.exception() is None
    assert six.state == "done"


def test_deps_order_without_passing_results() -> None:
    ran: list[str] = []
    with Graph() as g:
        a = g.submit(ran.append, "a", delay_s=0.01)
        b = g.submit(ran.append, "b", deps=[a])
        g.submit(ran.append, "c", deps=(a, b))
    assert ran == ["a", "b", "c"]


def test_a_diamond_runs_each_unit_once() -> None:
    ran: list[int] = []

    def unit(name: int, *_: Any) -> int:
        ran.append(name)
        return name

    with Graph() as g:
        top = g.submit(unit, 0)
        sides = [g.submit(unit, i, top) for i in range(1, 51)]
        g.submit(unit, 51, sides)
    assert sorted(ran) == list(range(52))
    assert ran[0] == 0
    assert ran[-1] == 51


def test_failure_reaches_dependants_with_its_cause_and_nobody_else() -> None:
    wrong = ValueError("no such user")

    def fail() -> None:
        raise wrong

    g = Graph()
    bad = g.submit(fail, name="load")
    child = g.submit(lambda x: x, bad)
    grandchild = g.submit(lambda x: x, child)
    other = g.submit(lambda: "fine")
    assert g.wait(30)
    assert other.result() == "fine"
    assert bad.exception() is wrong
    for node in (child, grandchild):
        with pytest.raises(errors.DependencyFailed, match="no such user") as caught:
            node.result()
        assert caught.value.__cause__ is wrong
    assert (bad.state, grandchild.state) == ("failed", "failed")


def test_cancel_takes_the_subtree_and_leaves_the_rest() -> None:
    g = Graph()
    slow = g.sleep(60)
    below = g.submit(lambda x: x, slow)
    deepest = g.submit(lambda x: x, below)
    other = g.submit(lambda: 1)
    assert g.cancel(slow)
    assert not g.cancel(slow)
    assert g.wait(30)
    assert slow.cancelled()
    assert below.cancelled()
    assert deepest.cancelled()
    with pytest.raises(errors.Cancelled):
        deepest.result()
    assert other.result() == 1


def test_cancel_of_a_node_gives_up_dependencies_that_nothing_else_needs() -> None:
    g = Graph()
    mine, shared = g.sleep(60), g.sleep(0.05)
    needs = g.submit(lambda *_: None, mine, shared)
    also = g.submit(lambda _: "kept", shared)
    assert needs.cancel()
    assert also.result(30) == "kept"
    assert mine.cancelled()
    assert not shared.cancelled()


def test_cycles_are_refused_and_named() -> None:
    g = Graph()
    start = g.sleep(60, name="start")
    a = g.submit(lambda _: None, start, name="a")
    b = g.submit(lambda _: None, a, name="b")
    with pytest.raises(errors.InvalidArgument, match=r"a.*b|b.*a"):
        g.depend(a, b)
    assert g.cancel(start)


def test_depend_adds_an_edge_while_it_waits() -> None:
    ran: list[str] = []
    with Graph() as g:
        first, gate = g.sleep(0.02), g.sleep(0.02)
        a = g.submit(ran.append, "a", deps=[gate])
        b = g.submit(ran.append, "b", deps=[first])
        g.depend(b, a)
    assert ran == ["a", "b"]


def test_a_unit_that_waits_for_itself_is_told_so() -> None:
    g = Graph()
    box: list[Node[Any]] = []
    ready = threading.Event()

    def wait_for_me() -> Any:
        ready.wait(30)
        return box[0].result(30)

    box.append(g.submit(wait_for_me, name="me"))
    ready.set()
    with pytest.raises(errors.InvalidArgument, match="me"):
        box[0].result(30)


def test_the_graph_grows_from_inside_and_waits_hold_no_place() -> None:
    g = Graph(concurrency=1)

    def fib(n: int) -> int:
        if n < 2:
            return n
        return int(g.submit(fib, n - 1).result(30)) + int(g.submit(fib, n - 2).result(30))

    assert g.submit(fib, 9).result(30) == 34  # more waits than there are places or workers


def test_more_results_than_workers_are_waited_for() -> None:
    g = Graph()
    gate = g.sleep(0.05)
    waits = [g.submit(lambda: gate.result(30)) for _ in range(100)]
    assert g.wait(30)
    assert all(w.result() is None for w in waits)


def test_concurrency_is_kept_and_priorities_go_first() -> None:
    running, most, order = 0, 0, []
    lock = threading.Lock()

    def unit(name: str) -> None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
            order.append(name)
        time.sleep(0.002)
        with lock:
            running -= 1

    with Graph(concurrency=2) as g:
        gate = g.sleep(0.02)
        for i in range(10):
            g.submit(unit, f"low {i}", deps=[gate])
        for i in range(4):
            g.submit(unit, f"high {i}", deps=[gate], priority=7)
    assert most <= 2
    assert {name.split()[0] for name in order[:4]} == {"high"}


def test_sleepers_need_no_thread() -> None:
    before = threading.active_count()
    begin = time.monotonic()
    with Graph() as g:
        nodes = [g.sleep(0.1) for _ in range(5000)]
        assert threading.active_count() <= before + 2
    assert all(n.done() for n in nodes)
    assert 0.1 <= time.monotonic() - begin < 5


def test_a_full_graph_refuses_and_goes_on() -> None:
    g = Graph(max_units=3)
    sleepers = [g.sleep(60) for _ in range(3)]
    with pytest.raises(errors.QueueFull, match="max_units"):
        g.submit(lambda: 1)
    assert g.cancel(sleepers[0])
    eventually(lambda: g.stats().undecided == 2)
    assert g.submit(lambda: 1).result(30) == 1
    g.close(cancel=True)
    assert g.wait(30)


def test_a_closed_graph_finishes_what_it_has_and_takes_no_more() -> None:
    g = Graph()
    last = g.submit(lambda: "done", delay_s=0.02)
    g.close()
    with pytest.raises(errors.Closed):
        g.submit(lambda: 1)
    assert last.result(30) == "done"
    assert g.closed


def test_leaving_with_an_error_cancels() -> None:
    nodes: list[Node[None]] = []

    def leave() -> None:
        with Graph() as g:
            nodes.append(g.sleep(60))
            raise KeyError("x")

    with pytest.raises(KeyError):
        leave()
    (node,) = nodes
    assert node.cancelled()


def test_result_has_a_timeout_and_the_node_goes_on() -> None:
    g = Graph()
    node = g.submit(lambda: 5, delay_s=0.1)
    with pytest.raises(TimeoutError):
        node.result(0.001)
    assert node.result(30) == 5
    assert g.result(node) == 5


def test_what_is_no_function_no_node_or_out_of_range_is_refused() -> None:
    g, other = Graph(), Graph()
    foreign = other.submit(lambda: 1)
    refused: list[tuple[type[Exception], Any]] = [
        (TypeError, lambda: g.submit(5)),  # type: ignore[arg-type]
        (TypeError, lambda: g.submit(lambda: 1, deps=[1])),  # type: ignore[list-item]
        (TypeError, lambda: g.submit(lambda: 1, name=3)),  # type: ignore[arg-type]
        (TypeError, lambda: g.cancel(7)),  # type: ignore[arg-type]
        (ValueError, lambda: g.submit(lambda: 1, delay_s=-1)),
        (ValueError, lambda: g.submit(lambda: 1, priority=8)),
        (errors.InvalidArgument, lambda: g.submit(lambda x: x, foreign)),
        (errors.InvalidArgument, lambda: Graph(concurrency=0)),
        (errors.InvalidArgument, lambda: Graph(max_units=0)),
        (errors.InvalidArgument, lambda: Graph(history=-1)),
        (errors.InvalidArgument, lambda: Graph(hold_limit_s=-0.1)),
    ]
    for kind, attempt in refused:
        with pytest.raises(kind):
            attempt()
    assert g.submit(lambda: 1).result(30) == 1


def test_a_function_that_returns_a_coroutine_is_an_error_not_a_lost_coroutine() -> None:
    async def work() -> None: ...

    g = Graph()
    with pytest.raises(TypeError, match="coroutine"):
        g.submit(lambda: work()).result(30)


def test_an_async_function_needs_a_loop() -> None:
    async def work() -> None: ...

    with pytest.raises(RuntimeError, match="event loop"):
        Graph().submit(work)


def test_threads_submit_together() -> None:
    g = Graph()
    sums: list[int] = []

    def feed(base: int) -> None:
        nodes = [g.submit(int, base + i) for i in range(500)]
        sums.append(g.submit(sum, nodes).result(30))

    threads = [threading.Thread(target=feed, args=(i * 500,)) for i in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sum(sums) == sum(range(2000))


def test_a_dropped_graph_cancels_what_waits() -> None:
    g = Graph()
    node = g.sleep(60)
    del g
    with pytest.raises(errors.Cancelled):
        node.result(30)


def test_results_are_given_back_and_arguments_let_go() -> None:
    class Big:
        pass

    import weakref

    big = Big()
    seen = weakref.ref(big)
    g = Graph()
    node = g.submit(lambda b: type(b).__name__, big)
    del big
    assert node.result(30) == "Big"
    eventually(lambda: seen() is None, "the argument's end")


def test_partials_and_methods_and_builtins() -> None:
    class Adder:
        def __init__(self, by: int) -> None:
            self.by = by

        def add(self, x: int) -> int:
            return x + self.by

        def __call__(self, x: int) -> int:
            return x + self.by

    with Graph() as g:
        nodes = [g.submit(f, 1) for f in (Adder(2).add, Adder(3), functools.partial(max, 4), float)]
    assert [n.result() for n in nodes] == [3, 4, 4, 1.0]


def test_it_shows_itself() -> None:
    g = Graph(name="page", history=10)
    user = g.submit(lambda: "u", name="user")
    user.result(30)
    later = g.sleep(60, name="pause", deps=[user])
    page = g.submit(lambda *_: None, user, later, name='pa"ge')
    nodes = {n.name: n for n in g.nodes()}
    assert nodes["user"].state == "done"
    assert nodes["user"].kind == "call"
    assert nodes["pause"].state == "sleeping"
    assert nodes["pause"].kind == "sleep"
    assert nodes['pa"ge'].state == "waiting"
    assert nodes["pause"].id in nodes['pa"ge'].dependencies
    dot = g.to_dot()
    assert dot.startswith('digraph "page"')
    assert r"pa\"ge" in dot
    assert f"{later.id} -> {page.id};" in dot
    html = g._repr_html_()
    assert "<table>" in html
    assert "pa&quot;ge" in html
    stats = g.stats()
    assert (stats.added, stats.done, stats.sleeping, stats.waiting) == (3, 1, 1, 1)
    assert "3 nodes, 2 undecided" in repr(g)
    assert repr(user) == "<Node 'user' done>" or "user" in repr(user)
    g.close(cancel=True)


def test_exports() -> None:
    networkx = pytest.importorskip("networkx")
    graphviz = pytest.importorskip("graphviz")
    g = Graph(history=10)
    a = g.submit(lambda: 1, name="a")
    b = g.submit(lambda x: x, a, name="b")
    b.result(30)
    exported = g.to_networkx()
    assert networkx.is_directed_acyclic_graph(exported)
    assert exported.nodes[b.id] == {"name": "b", "kind": "call", "state": "done"}
    assert isinstance(g.to_graphviz(), graphviz.Source)


def test_a_forked_child_is_refused() -> None:
    g = Graph()
    assert g.submit(lambda: 1).result(30) == 1
    pid = os.fork()
    if pid == 0:
        try:
            g.submit(lambda: 1)
        except errors.Forked:
            os._exit(7)
        except BaseException:
            os._exit(8)
        os._exit(9)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7


def test_the_end_of_the_program_does_not_wait_for_sleepers() -> None:
    code = "import headrace; g = headrace.Graph(); n = g.sleep(3600); m = g.submit(lambda _: 1, n); print('end')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "end", "")


def test_the_package_has_the_names() -> None:
    assert headrace.Graph is headrace.graph.Graph
    assert headrace.Node is headrace.graph.Node
