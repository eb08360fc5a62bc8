"""What words do to a payout, whatever their order; and what the sandbox provider keeps of payouts."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.kernel import Fen, PayoutId, uuid7
from fairwind.payments.sandbox.book import Book, Conflict
from fairwind.payments.sandbox.messages import PayoutOrder
from fairwind.payments.sandbox.payouts import cancel_payout, pay_out, payout, payout_status
from fairwind.payments.sandbox.switches import Switches
from fairwind.settlement.netting import Payee
from fairwind.settlement.payout import PAYOUT_TRANSITIONS, PayoutTold, payout_told, requested

NOW = datetime(2020, 7, 1, 20, tzinfo=UTC)
PAYOUT = replace(requested(PayoutId(uuid7(NOW)), Payee("creator", 7), Fen(1500), "sandbox", NOW), attempts=1)
WORDS = ["processing", "succeeded", "failed", "retry", "release"]


def word(said, attempt=1, reason=None) -> PayoutTold:
    return PayoutTold(PAYOUT.id, attempt, said, reason)


def after(*words: PayoutTold):
    standing = PAYOUT
    for said in words:
        standing = payout_told(standing, said, NOW)
    return standing


@given(st.lists(st.tuples(st.sampled_from(WORDS), st.integers(0, 2))))
def test_a_success_counts_whenever_it_comes_unless_what_it_paid_was_given_free_before(words):
    standing = PAYOUT
    for said, attempt in words:
        before, standing = standing, payout_told(standing, word(said, attempt), NOW)
        assert (standing.state in ("failed", "released")) == (standing.reason is not None)
        assert (standing.state in ("succeeded", "released")) == (standing.finished_at is not None)
        if before.state in ("succeeded", "released"):
            assert standing == before
        elif said == "succeeded":
            assert standing.state == "succeeded"


def test_nothing_undoes_a_success_or_a_release():
    assert PAYOUT_TRANSITIONS["succeeded"] == PAYOUT_TRANSITIONS["released"] == {}


def test_only_a_payout_that_failed_can_be_sent_again_or_released():
    assert {state for state, words in PAYOUT_TRANSITIONS.items() if {"retry", "release"} & words.keys()} == {"failed"}
    assert after(word("failed", reason="no"), word("retry")).state == "pending"
    released = after(word("failed", reason="no"), word("release"))
    assert (released.state, released.reason, released.finished_at) == ("released", "no", NOW)


def test_a_failure_of_an_earlier_attempt_does_not_stop_the_later_one():
    again = replace(PAYOUT, state="sent", attempts=2)

    assert payout_told(again, word("failed", attempt=1), NOW) == again
    assert payout_told(again, word("failed", attempt=2, reason="no"), NOW).reason == "no"


def test_to_send_it_again_makes_every_word_of_the_attempt_before_late():
    again = after(word("failed", reason="no"), word("retry"))

    assert again.attempts == 2
    assert payout_told(again, word("failed", attempt=1, reason="no"), NOW) == again
    assert payout_told(again, word("retry", attempt=1), NOW) == again
    assert payout_told(again, word("succeeded", attempt=1), NOW).state == "succeeded"


# The sandbox provider.


@pytest.fixture
def sandbox(tmp_path: Path) -> Book:
    return Book(tmp_path / "sandbox.sqlite", "http://127.0.0.1")


ORDER = PayoutOrder("P-1", "creator 7", 1500, 1, "http://127.0.0.1/payouts/callbacks/sandbox")


def paid_fen(sandbox: Book) -> int:
    return sandbox.counts()["paid_out_fen"]


def test_the_sandbox_pays_an_id_once_however_often_it_is_asked(sandbox: Book):
    for attempt in (1, 2, 3):
        assert payout_status(pay_out(sandbox, replace(ORDER, attempt=attempt), 0), 0).state == "succeeded"

    assert (sandbox.counts()["payouts"], paid_fen(sandbox)) == (1, 1500)
    assert payout(sandbox, "P-1").requests == 3
    assert sandbox.counts()["callbacks"] == 1


@pytest.mark.parametrize("changes", [{"amount_fen": 1501}, {"payee": "creator 8"}])
def test_the_sandbox_refuses_an_id_for_other_content(sandbox: Book, changes):
    pay_out(sandbox, ORDER, 0)

    with pytest.raises(Conflict):
        pay_out(sandbox, replace(ORDER, **changes), 0)
    with pytest.raises(Conflict):
        cancel_payout(sandbox, replace(ORDER, **changes), 0)


def test_the_sandbox_tries_again_what_failed_and_tells_of_each_try_as_often_as_switched(sandbox: Book):
    sandbox.set_switches(Switches(payout_failure_ppm=1_000_000, duplicates=1))
    status = payout_status(pay_out(sandbox, ORDER, 0), 0)
    assert (status.state, status.attempt, status.reason) == ("failed", 1, "the payee's bank refused it")
    sandbox.set_switches(Switches(duplicates=1))

    status = payout_status(pay_out(sandbox, replace(ORDER, attempt=4), 0), 0)

    assert (status.state, status.attempt, status.reason) == ("succeeded", 4, None)
    assert sandbox.counts()["callbacks"] == 4


def test_the_sandbox_takes_its_time_and_its_word_shows_when_it_is_over(sandbox: Book):
    sandbox.set_switches(Switches(delay_s=3))
    taken = pay_out(sandbox, ORDER, 10)

    assert [payout_status(taken, now).state for now in (10, 12.9, 13)] == ["processing", "processing", "succeeded"]
    assert payout_status(cancel_payout(sandbox, ORDER, 11), 11).state == "processing"
    assert payout_status(cancel_payout(sandbox, ORDER, 14), 14).state == "succeeded"


@pytest.mark.parametrize("before", ["unknown", "failed"])
def test_the_sandbox_never_pays_what_was_cancelled_even_when_it_is_asked_later(sandbox: Book, before):
    if before == "failed":
        sandbox.set_switches(Switches(payout_failure_ppm=1_000_000))
        pay_out(sandbox, ORDER, 0)
        sandbox.set_switches(Switches())

    for _ in range(2):
        assert payout_status(cancel_payout(sandbox, ORDER, 0), 0).state == "cancelled"

    with pytest.raises(Conflict, match="was cancelled"):
        pay_out(sandbox, ORDER, 0)
    assert paid_fen(sandbox) == 0


def test_each_request_hangs_or_does_not_by_a_chance_of_its_own():
    switches = Switches(payout_hang_ppm=500_000)

    hung = [switches.hangs("P-1", request) for request in range(400)]

    assert hung == [switches.hangs("P-1", request) for request in range(400)]
    assert 120 < sum(hung) < 280
