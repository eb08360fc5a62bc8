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

from fairwind.kernel import Fen
from fairwind.orders import Order
from fairwind.orders.commands import after_sales
from fairwind.orders.refund import Refund, RefundLine

STORIES = int(os.environ.get("FAIRWIND_TEST_STORIES", "10"))
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


def test_a_platform_that_keeps_a_fen_is_found_out_by_a_short_story(
    real: Reality, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = after_sales.agreed

    def keeps_a_fen(order: Order, refund: Refund, now: datetime) -> Order:
        first, *others = refund.lines or [RefundLine(1, 0, Fen(0))]
        short = replace(first, amount_fen=Fen(max(0, first.amount_fen - 1)))
        return honest(order, replace(refund, lines=(short, *others)), now)

    monkeypatch.setattr(after_sales, "agreed", keeps_a_fen)
    with pytest.raises(Disagreement) as found:
        tell(real, range(10), STEPS // 4)
    assert len(str(found.value).splitlines()) < 12
