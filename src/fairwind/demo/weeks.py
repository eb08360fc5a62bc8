"""After the sale weeks pass in a minute: goods count as received, some come back late, the rest settles and is paid."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from random import Random
from time import perf_counter
from typing import Any

from fairwind.demo import store
from fairwind.demo.figures import Given
from fairwind.demo.stage import Shop, Stage, signed_in
from fairwind.demo.timetable import Timetable
from fairwind.kernel import Database, LiveSessionId, ShopId, uuid7

PAYOUT_EVERY_S = 1000
"""How often books are swept in the demo, by its own clock; the platform's default is a day."""
RECEIPT, LATE, WINDOW, AFTERWARDS = (timedelta(days=days) for days in (11, 10, 7, 3))
"""Goods count as received after 10 days; then days pass, until the after-sales window of 15 days is over, and after."""
_LATE_PART, _AFTER_PART = 0.03, 0.01
"""The parts of the orders of which something comes back late, and after they have settled."""
_PATIENCE_S = 60.0
_LOOK_EVERY_S = 0.5

Progress = Callable[[int, int], None]
"""Told how much of how much is done."""
Told = Callable[[str], AbstractContextManager[Progress]]
"""A step of which one says how far it is."""


async def pass_by(
    url: str, database: Database, stage: Stage, session_id: LiveSessionId, timetable: Timetable, seed: int, told: Told
) -> Given:
    """Let the weeks pass; answers how many orders gave something back."""
    shop_ids = [shop.id for shop in stage.shops]
    dice = Random(f"{seed} weeks")  # noqa: S311
    timetable.advance(RECEIPT)
    await _wait(database, lambda tx: store.not_received(tx, shop_ids), told("received"))
    timetable.advance(LATE)
    late = await _give_back(url, database, stage.shops, session_id, timetable, dice, _LATE_PART, told("come back late"))
    timetable.advance(WINDOW)
    await _wait(database, lambda tx: store.due(tx, shop_ids), told("settled"))
    timetable.advance(AFTERWARDS)
    after = await _give_back(
        url, database, stage.shops, session_id, timetable, dice, _AFTER_PART, told("come back after settlement")
    )
    timetable.advance(timedelta(seconds=PAYOUT_EVERY_S))
    await _wait(database, store.payouts_under_way, told("paid out"))
    return Given(late, after)


async def _wait(
    database: Database, left: Callable[[Any], Awaitable[int]], step: AbstractContextManager[Progress]
) -> None:
    """Wait until nothing is left, or, should nothing move any more, for a while."""
    with step as progress:
        until, most, last = perf_counter() + _PATIENCE_S, 0, -1
        while perf_counter() < until:
            async with database.transaction() as tx:
                count = await left(tx)
            most = max(most, count)
            progress(most - count, most)
            if count == 0:
                return
            if count != last:
                until, last = perf_counter() + _PATIENCE_S, count
            await asyncio.sleep(_LOOK_EVERY_S)


async def _give_back(
    url: str,
    database: Database,
    shops: Sequence[Shop],
    session_id: LiveSessionId,
    timetable: Timetable,
    dice: Random,
    part: float,
    step: AbstractContextManager[Progress],
) -> int:
    """The shops give back a piece's price, or some of it, of a part of the orders of the session."""
    async with database.transaction() as tx:
        found = await store.received_lines(tx, session_id, [shop.id for shop in shops])
    chosen = dice.sample(found, min(len(found), max(1, round(len(found) * part)))) if found else []
    by_shop: dict[ShopId, list[store.Received]] = {}
    for line in chosen:
        by_shop.setdefault(line.shop_id, []).append(line)
    done = 0
    with step as progress:
        for shop in shops:
            async with signed_in(url, shop.session) as merchant:
                for line in by_shop.get(shop.id, []):
                    amount_fen = line.left_fen if dice.random() < 0.5 else max(1, line.left_fen // 3)
                    draft = {
                        "id": str(uuid7(timetable.clock.now())),
                        "kind": "refund_only",
                        "reason": "售后补偿",
                        "lines": [{"line_no": line.line_no, "amount_fen": amount_fen}],
                    }
                    await merchant.post(f"/shops/{shop.id}/orders/{line.order_id}/refunds", json=draft)
                    done += 1
                    progress(done, len(chosen))
    return done
