"""Rating what was received.

Locks are taken in one order: ratings by order and line, products' sums by id.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from fairwind.alliance.rating import Rating, Reviewing, rated
from fairwind.alliance.store import ratings as store
from fairwind.kernel import OrderId, ProductId, Refused, ShopId, Transaction

Line = tuple[OrderId, int]


async def rate(tx: Transaction, shop_id: ShopId, items: Sequence[Reviewing], now: datetime) -> list[Rating | Refused]:
    """Keep what buyers say of lines, once for each; it may be changed for 30 days. Answers RatingClosed after that.

    The caller has made sure that each line is the buyer's own and was received.
    """
    known = await tx.ask(store.ratings_locked(shop_id, {(item.order_id, item.line_no) for item in items}))
    there = dict(known)
    moves: dict[ProductId, list[int]] = defaultdict(lambda: [0, 0])
    outcomes: list[Rating | Refused] = []
    for item in items:
        line = (item.order_id, item.line_no)
        before = there.get(line)
        outcome = rated(shop_id, item, before, now)
        outcomes.append(outcome)
        if isinstance(outcome, Rating) and outcome != before:
            there[line] = outcome
            moves[outcome.product_id][0] += before is None
            moves[outcome.product_id][1] += outcome.stars - (before.stars if before else 0)
    if added := [rating for line, rating in there.items() if line not in known]:
        await tx.ask(store.ratings_added(shop_id, added))
    if changed := [rating for line, rating in there.items() if line in known and rating != known[line]]:
        await tx.ask(store.ratings_changed(shop_id, changed))
    if moves:
        sums = {product_id: (ratings, stars) for product_id, (ratings, stars) in moves.items()}
        opened, moved = store.sums_moved(shop_id, sums)
        await tx.together(opened, store.sums_locked(shop_id, sums), moved)
    return outcomes
