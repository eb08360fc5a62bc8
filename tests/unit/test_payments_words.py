"""What a provider's words do to payments and refunds, whatever their order."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairwind.kernel import uuid7
from fairwind.payments import AmountMismatch, Draft, Notice, PaidTwice, Part, Recorded, UnknownPayment
from fairwind.payments.payment import TRANSITIONS, drafted, told
from fairwind.payments.refund import REFUND_TRANSITIONS, Refund, RefundTold, refund_told
from fairwind.payments.sandbox.switches import Switches
from fairwind.payments.schedule import ASK_LAST, ASK_PAUSE_MAX_S, next_ask, next_try
from fairwind.payments.signature import CALLBACK, SIGNATURE, TIME, flaw, signed

NOW = datetime(2020, 7, 1, 20, tzinfo=UTC)
KEY = b"k" * 32

HOME = Part(3, uuid7(NOW), 700)
AWAY = Part(9, uuid7(NOW), 300)
PAYMENT = drafted(Draft(uuid7(NOW), 70, (AWAY, HOME), NOW + timedelta(minutes=15)), NOW)


def notice(outcome="succeeded", amount_fen=1000, ref="R1", provider="sandbox") -> Notice:
    return Notice(PAYMENT.id, PAYMENT.shop_id, amount_fen, outcome, ref, NOW, provider)


def after(notices):
    payment, changes = PAYMENT, 0
    for word in notices:
        recorded = told(payment, word, NOW)
        assert isinstance(recorded, Recorded)
        payment, changes = recorded.payment, changes + recorded.newly
    return payment, changes


def test_a_payment_lives_in_the_lowest_shop_of_its_parts_and_is_worth_their_sum():
    assert PAYMENT.shop_id == 3
    assert PAYMENT.amount_fen == 1000
    assert PAYMENT.parts == (HOME, AWAY)


@given(st.lists(st.sampled_from(["succeeded", "closed"]), min_size=1, max_size=8))
def test_whatever_the_order_of_notices_money_that_arrived_counts_exactly_once(outcomes):
    payment, changes = after([notice(outcome) for outcome in outcomes])

    assert payment.state == ("succeeded" if "succeeded" in outcomes else "closed")
    assert (payment.provider_ref, payment.paid_at) == (("R1", NOW) if "succeeded" in outcomes else (None, None))
    assert changes == (2 if outcomes[0] == "closed" and "succeeded" in outcomes else 1)


def test_nothing_undoes_a_success():
    assert TRANSITIONS["succeeded"] == {}
    assert REFUND_TRANSITIONS["succeeded"] == {}


@pytest.mark.parametrize("amount_fen", [1, 999, 1001])
@pytest.mark.parametrize("before", [[], ["closed"], ["succeeded"]])
def test_another_amount_than_the_payments_is_refused_in_every_state(before, amount_fen):
    payment, _ = after([notice(outcome) for outcome in before])

    assert isinstance(told(payment, notice(amount_fen=amount_fen), NOW), AmountMismatch)


def test_a_second_success_under_another_reference_is_money_paid_twice():
    payment, _ = after([notice()])

    assert isinstance(told(payment, notice(ref="R2"), NOW), PaidTwice)
    assert told(payment, notice(ref="R1"), NOW) == Recorded(payment, newly=False)


def test_a_notice_from_another_provider_or_about_no_payment_is_refused():
    assert isinstance(told(PAYMENT, notice(provider="other"), NOW), UnknownPayment)
    assert isinstance(told(None, notice(), NOW), UnknownPayment)


def test_a_repeated_draft_asks_for_the_same_payment_unless_its_parts_or_buyer_differ():
    draft = Draft(PAYMENT.id, 70, (HOME, AWAY), NOW)

    assert PAYMENT.answers(draft)
    assert PAYMENT.answers(replace(draft, expires_at=NOW + timedelta(hours=1)))
    assert not PAYMENT.answers(replace(draft, buyer_id=71))
    assert not PAYMENT.answers(replace(draft, parts=(HOME,)))


REFUND = Refund(9, uuid7(NOW), 3, PAYMENT.id, AWAY.order_id, 300, "sandbox", "pending", None, 1, NOW, None)


def word(word, attempt=1, reason=None) -> RefundTold:
    return RefundTold(REFUND.id, attempt, word, reason)


@given(st.lists(st.tuples(st.sampled_from(["processing", "succeeded", "failed", "retry"]), st.integers(0, 2))))
def test_a_refund_that_succeeded_stays_so_and_success_counts_whenever_it_comes(words):
    refund = REFUND
    for said, attempt in words:
        refund = refund_told(refund, word(said, attempt), NOW)
        assert (refund.state == "failed") == (refund.reason is not None)
        assert (refund.state == "succeeded") == (refund.finished_at is not None)

    assert (refund.state == "succeeded") == any(said == "succeeded" for said, _ in words)


def test_a_failure_of_an_earlier_attempt_does_not_stop_the_later_one():
    tried_again = replace(REFUND, state="sent", attempts=2)

    assert refund_told(tried_again, word("failed", attempt=1), NOW) == tried_again
    assert refund_told(tried_again, word("failed", attempt=2, reason="no"), NOW).reason == "no"


def test_an_open_payment_is_asked_about_less_and_less_until_a_week_after_it_expired():
    pauses_s = [(next_ask(PAYMENT, asks, NOW) - NOW).total_seconds() for asks in range(8)]

    assert pauses_s == sorted(pauses_s)
    assert (pauses_s[0], pauses_s[-1]) == (15, ASK_PAUSE_MAX_S)
    assert next_ask(PAYMENT, 10**6, NOW) is not None
    assert next_ask(PAYMENT, 3, PAYMENT.expires_at + ASK_LAST) is None


def test_a_closed_payment_is_asked_about_a_few_times_more_and_a_paid_one_never():
    closed, _ = after([notice("closed")])
    paid, _ = after([notice()])

    assert [next_ask(closed, asks, NOW) is not None for asks in (0, 5, 6)] == [True, True, False]
    assert next_ask(paid, 0, NOW) is None


def test_refunds_are_spoken_of_again_after_a_bounded_pause():
    assert [(next_try(attempts, NOW) - NOW).total_seconds() for attempts in (1, 2, 10**6)] == [2, 4, 300]


def test_a_signature_covers_its_purpose_its_time_and_every_byte():
    headers = signed(KEY, CALLBACK, b"body", NOW)

    assert flaw(KEY, CALLBACK, headers, b"body", NOW) is None
    assert flaw(KEY, CALLBACK, headers, b"bodY", NOW)
    assert flaw(KEY, "POST /v1/payments", headers, b"body", NOW)
    assert flaw(b"x" * 32, CALLBACK, headers, b"body", NOW)
    assert flaw(KEY, CALLBACK, {**headers, TIME: str(int(headers[TIME]) + 1)}, b"body", NOW)
    assert flaw(KEY, CALLBACK, {TIME: headers[TIME]}, b"body", NOW)
    assert flaw(KEY, CALLBACK, {SIGNATURE: "ä", TIME: "never"}, b"body", NOW)


@pytest.mark.parametrize("away_s", [-301, 301])
def test_a_signature_is_good_for_five_minutes_around_our_time(away_s):
    headers = signed(KEY, CALLBACK, b"", NOW)

    assert flaw(KEY, CALLBACK, headers, b"", NOW + timedelta(seconds=300)) is None
    assert flaw(KEY, CALLBACK, headers, b"", NOW + timedelta(seconds=away_s))


def test_the_same_seed_has_the_same_fate_and_the_shares_are_as_set():
    references = [str(UUID(int=n)) for n in range(4000)]
    switches = Switches(loss_ppm=250_000, decline_ppm=100_000, refund_failure_ppm=10_000, seed=3)

    lost = {reference for reference in references if not switches.deliveries(reference, "succeeded")}
    assert lost == {reference for reference in references if not switches.deliveries(reference, "succeeded")}
    assert len(lost) / 4000 == pytest.approx(0.25, abs=0.03)
    assert sum(switches.declines(reference, 0) for reference in references) / 4000 == pytest.approx(0.1, abs=0.02)
    assert sum(switches.fails(reference, 0) for reference in references) / 4000 == pytest.approx(0.01, abs=0.01)
    assert lost != {r for r in references if not replace(switches, seed=4).deliveries(r, "succeeded")}


def test_callbacks_are_repeated_delayed_and_reordered_as_switched():
    assert Switches().deliveries("a", "succeeded") == [0]
    assert Switches(duplicates=2, delay_s=3).deliveries("a", "succeeded") == [3, 3, 3]
    waits = [wait_s for n in range(50) for wait_s in Switches(reorder=True).deliveries(str(n), "succeeded")]
    assert waits != sorted(waits)
    assert all(0 <= wait_s < 2 for wait_s in waits)
