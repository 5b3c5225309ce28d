"""What a run used, from its plan and its journal: each attempt once, and unknown is unknown."""

import pytest

from ansible_collections.suanwang.brain.plugins.plugin_utils import metering

TRAIN = {"id": "train", "kind": "train", "nodes": 2, "accelerators": 8, "cpu": 8, "wall_s": 100, "retry": 1}
MOVE = {"id": "move_data", "kind": "move_data", "of": "train"}
PLAN = {"components": [MOVE, TRAIN], "caps": {"card_s": 1600, "wall_s": 100}}
ESTIMATE = {"facts": {"pools": {"a/s/p": {"price": {"accelerator_fen_h": 900, "cpu_fen_h": 18}}, "a/s/q": {}}}}


def event(kind, component="train", at="2026-11-25T03:10:00Z", pass_="1", **fields):
    return {"at": at, "pass": pass_, "component": component, "event": kind, **fields}


def used(*events, estimate=None):
    return metering.used(PLAN, ESTIMATE if estimate is None else estimate, events)


TIMES = {"started": "2026-11-25T03:00:00Z", "ended": "2026-11-25T03:10:00Z"}


def test_cards_and_cores_of_all_nodes_for_the_time_they_were_held():
    (one,) = used(event("placed", pool="a/s/p"), event("used", attempt=0, **TIMES))
    assert (one.card_s, one.core_s, one.pool) == (8 * 600, 2 * 8 * 600, "a/s/p")
    assert one.money_fen == round((4800 * 900 + 9600 * 18) / 3600)


def test_an_attempt_counts_once_and_every_attempt_counts():
    first, second = event("used", attempt=0, **TIMES), event("used", attempt=1, **TIMES)
    assert [one.attempt for one in used(first, first, second, second)] == [0, 1]


def test_the_last_word_on_an_attempt_counts():
    """Cancelled while it ran: its end is when that was asked for, until a later look says better."""
    begun = event("used", attempt=0, started=TIMES["started"], at="2026-11-25T03:20:00Z")
    assert used(begun)[0].card_s == 8 * 1200
    assert used(begun, event("used", attempt=0, **TIMES))[0].card_s == 8 * 600


def test_what_is_not_known_is_none():
    (one,) = used(event("placed", pool="a/s/p"), event("used", attempt=0))
    assert (one.started, one.card_s, one.core_s, one.money_fen) == (None, None, None, None)
    (one,) = used(event("placed", pool="a/s/q"), event("used", attempt=0, **TIMES))
    assert one.card_s == 4800 and one.money_fen is None


def test_a_copy_that_goes_on_later_counts_its_bytes_once():
    told = [
        event("progress", "move_data", bytes=10),
        event("progress", "move_data", bytes=60),
        event("progress", "move_data", pass_="2", bytes=60),
        event("progress", "move_data", pass_="2", bytes=100, at="2026-11-25T03:11:00Z"),
    ]
    (one,) = used(event("placed", pool="a/s/p"), *told)
    assert (one.bytes, one.card_s, one.money_fen, one.pool) == (100, 0, 0, "a/s/p")
    assert (one.started, one.ended) == ("2026-11-25T03:10:00Z", "2026-11-25T03:11:00Z")
    assert used(event("progress", "move_data", bytes=0)) == []


@pytest.mark.parametrize("money", [None, 70])
def test_a_plan_holds_its_caps_and_every_attempts_cores(money):
    caps = {**PLAN["caps"], **({"money_fen": money} if money else {})}
    assert metering.held({**PLAN, "caps": caps}) == {"card_s": 1600, "core_s": 2 * 8 * 100 * 2, "money_fen": money}
