from __future__ import annotations

import pytest

from headrace.experiment.flow import CaseFlow, FlowOptions, Step, Totals

HALF = Totals(sent=10, acked=10, received=5, receive_acked=5)
FULL = Totals(sent=10, acked=10, received=10, receive_acked=10)


@pytest.fixture
def flow():
    """A case that starts at 100 s."""
    flow = CaseFlow(FlowOptions(timeout=60.0))
    flow.begin(100.0)
    return flow


def step(flow, now, totals, *, producers_done=True, consumers_done=False):
    return flow.step(now, totals, producers_done=producers_done, consumers_done=consumers_done)


def test_consumers_stop_once_all_is_acknowledged_and_quiet_and_the_broker_has_nothing_left(flow):
    assert step(flow, 100.5, HALF, producers_done=False) is Step.WAIT
    assert step(flow, 101.0, FULL) is Step.WAIT  # not quiet yet
    assert step(flow, 101.3, FULL) is Step.ASK_BROKER
    flow.on_backlog(101.3, 0)
    assert step(flow, 101.35, FULL) is Step.STOP_CONSUMERS
    assert step(flow, 101.4, FULL) is Step.WAIT
    assert step(flow, 101.5, FULL, consumers_done=True) is Step.OVER
    assert flow.failures == []


def test_duplicates_do_not_end_it_early(flow):
    step(flow, 101.0, FULL)  # ten receipts, of which one is a duplicate
    assert step(flow, 101.3, FULL) is Step.ASK_BROKER
    flow.on_backlog(101.3, 1)
    assert step(flow, 101.35, FULL) is Step.WAIT
    more = Totals(sent=10, acked=10, received=11, receive_acked=11)
    assert step(flow, 101.4, more) is Step.WAIT
    assert step(flow, 101.7, more) is Step.ASK_BROKER
    flow.on_backlog(101.7, 0)
    assert step(flow, 101.75, more) is Step.STOP_CONSUMERS


def test_a_loss_ends_it_after_a_stall_if_the_broker_has_nothing_left(flow):
    step(flow, 101.0, HALF)
    flow.on_backlog(102.0, 0)
    assert step(flow, 102.1, HALF) is Step.WAIT
    flow.on_backlog(106.1, 0)
    assert step(flow, 106.2, HALF) is Step.STOP_CONSUMERS


def test_a_silent_broker_is_given_longer(flow):
    step(flow, 101.0, HALF)
    flow.on_backlog(107.0, None)
    assert step(flow, 107.1, HALF) is Step.WAIT
    flow.on_backlog(141.1, None)
    assert step(flow, 141.2, HALF) is Step.STOP_CONSUMERS


def test_what_the_broker_still_holds_is_waited_for_until_the_deadline(flow):
    step(flow, 101.0, HALF)
    flow.on_backlog(150.0, 5)
    assert step(flow, 159.9, HALF) is Step.ASK_BROKER
    assert step(flow, 160.0, HALF) is Step.STOP_PRODUCERS
    assert step(flow, 162.4, HALF) is Step.WAIT
    assert step(flow, 162.5, HALF) is Step.STOP_ALL
    assert flow.failures == ["timed out after 60 s with 10 messages sent, 10 acknowledged, 5 received"]


def test_a_receipt_not_yet_acknowledged_is_not_complete(flow):
    pending = Totals(sent=10, acked=10, received=11, receive_acked=10)
    step(flow, 101.0, pending)
    flow.on_backlog(101.3, None)
    assert step(flow, 101.4, pending) is Step.WAIT


def test_ctrl_c_lets_consumers_catch_up_before_they_stop(flow):
    flow.interrupt(101.0)
    assert step(flow, 101.0, HALF, producers_done=False) is Step.STOP_PRODUCERS
    assert step(flow, 101.1, HALF) is Step.WAIT
    assert step(flow, 101.2, FULL) is Step.WAIT
    assert step(flow, 101.35, FULL) is Step.STOP_ALL
    assert step(flow, 101.4, FULL) is Step.WAIT  # told once only
    assert step(flow, 101.5, FULL, consumers_done=True) is Step.OVER
    assert flow.failures == ["interrupted"]


def test_ctrl_c_kills_after_the_grace(flow):
    flow.interrupt(101.0)
    assert step(flow, 101.0, HALF, producers_done=False) is Step.STOP_PRODUCERS
    assert step(flow, 101.5, HALF, producers_done=False) is Step.STOP_ALL
    assert step(flow, 101.9, HALF, producers_done=False) is Step.WAIT
    assert step(flow, 102.0, HALF, producers_done=False) is Step.KILL
    assert step(flow, 102.1, HALF, producers_done=False) is Step.WAIT  # killed once only
    assert step(flow, 102.2, HALF, consumers_done=True) is Step.OVER
    assert flow.failures[0] == "interrupted"


def test_a_failure_stops_the_case_and_keeps_its_reason(flow):
    flow.fail(101.0, "producer 1 was killed by SIGKILL")
    assert step(flow, 101.0, HALF) is Step.STOP_PRODUCERS
    assert step(flow, 101.1, HALF, consumers_done=True) is Step.OVER
    assert flow.failures == ["producer 1 was killed by SIGKILL"]


def test_ctrl_c_after_a_failure_shortens_the_grace(flow):
    flow.fail(101.0, "reason")
    step(flow, 101.0, HALF)
    flow.interrupt(101.5)
    assert step(flow, 101.6, HALF) is Step.STOP_ALL
    assert step(flow, 102.0, HALF) is Step.KILL
