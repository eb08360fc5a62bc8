"""Whatever happens, in whatever order and however often: the platform ends where the plain model ends, to the fen.

FAIRWIND_TEST_STORIES asks for more stories than the usual few, FAIRWIND_TEST_SEED for others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime

import pytest
from msgspec.structs import replace
from reality import Reality
from story import Disagreement, tell

from fairwind.kernel import PPM_WHOLE, Fen
from fairwind.orders import Order
from fairwind.orders.commands import after_sales
from fairwind.orders.refund import Refund, RefundLine
from fairwind.settlement.commands import settling
from fairwind.settlement.share import Held, Shares, Terms

STORIES = int(os.environ.get("FAIRWIND_TEST_STORIES", "6"))
SEED = int(os.environ.get("FAIRWIND_TEST_SEED", "0"))
STEPS = 200


@pytest.fixture
def real(module_database_url: str) -> Iterator[Reality]:
    real = Reality(module_database_url)
    yield real
    real.close()


@pytest.mark.timeout(120 + 20 * STORIES)
def test_the_platform_and_the_plain_model_agree_after_every_step(real: Reality) -> None:
    tell(real, range(SEED, SEED + STORIES), STEPS)


def found_out(real: Reality, *rules: str) -> list[str]:
    """The short story by which a platform that cheats is found out. rules: those that stories go by."""
    with pytest.raises(Disagreement) as found:
        tell(real, range(10), STEPS // 4, rules)
    return str(found.value).splitlines()


def test_a_platform_that_keeps_a_fen_of_a_refund_is_found_out_by_a_short_story(
    real: Reality, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = after_sales.agreed

    def keeps_a_fen(order: Order, refund: Refund, now: datetime) -> Order:
        first, *others = refund.lines or [RefundLine(1, 0, Fen(0))]
        short = replace(first, amount_fen=Fen(max(0, first.amount_fen - 1)))
        return honest(order, replace(refund, lines=(short, *others)), now)

    monkeypatch.setattr(after_sales, "agreed", keeps_a_fen)
    assert len(found_out(real, "change_terms", "buy", "ask", "finish")) < 12


def test_a_platform_that_rounds_its_fee_up_is_found_out_by_a_short_story(
    real: Reality, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = settling.share_line

    def rounds_up(there: Held, terms: Terms) -> Shares:
        shares = honest(there, terms)
        more = int(there.base_fen * terms.fee_ppm % PPM_WHOLE > 0)
        return shares._replace(
            service_fee_fen=Fen(shares.service_fee_fen + more), seller_fen=Fen(shares.seller_fen - more)
        )

    monkeypatch.setattr(settling, "share_line", rounds_up)
    assert len(found_out(real, "change_terms", "buy", "finish", "relay", "settle")) < 12
