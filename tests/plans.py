"""Creators, agencies and plans: shared by the tests of the alliance."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec

from fairwind.alliance.activity import Activity, ActivityDraft, ActivityId
from fairwind.alliance.commands.activities import open_activity
from fairwind.alliance.commands.plans import end_plans, publish_plans
from fairwind.alliance.commands.sales import count_returned, count_sold
from fairwind.alliance.commission import Commission
from fairwind.alliance.plan import Kind, Step, Terms
from fairwind.alliance.promise import Dated, Ending, Publishing
from fairwind.alliance.store.commissions import commissions
from fairwind.identity import NewPerson, Role, create_people, grant_membership
from fairwind.kernel import (
    Database,
    Event,
    EventId,
    PersonId,
    PlanId,
    Ppm,
    ProductId,
    Refused,
    ShopId,
    accepted,
    uuid7,
)
from market import NOW, Shop, open_shop

MERCHANT = PersonId(1)
MIDNIGHT = datetime(2020, 6, 18, 16, tzinfo=UTC)
"""The first 00:00 in China after market.NOW."""
DAY = timedelta(days=1)
PERCENT = 10_000


def terms(percent: int, *steps: tuple[int, int], by: str = "quantity", agency: int = 0) -> Terms:
    """Terms in percent; steps as (reached, percent)."""
    made = tuple(Step(reached, Ppm(rate * PERCENT)) for reached, rate in steps)
    return Terms(Ppm(percent * PERCENT), Ppm(agency * PERCENT), by if steps else None, made)  # type: ignore[arg-type]


async def someone(database: Database, *roles: Role) -> PersonId:
    """A new person."""
    draft = NewPerson(f"p-{uuid4().hex[:16]}", "小林", "-", frozenset(roles))
    [person] = await database.run(lambda tx: create_people(tx, [draft], NOW))
    return accepted(person).id


async def creator(database: Database) -> PersonId:
    """A new creator with a shop of their own."""
    person_id = await someone(database, Role.CREATOR)
    own = await open_shop(database, 1)
    await database.run(lambda tx: grant_membership(tx, own.id, person_id, NOW))
    return person_id


async def publish(
    database: Database,
    shop: Shop,
    wanted: Terms,
    kind: Kind = Kind.ORDINARY,
    *,
    at: datetime = NOW,
    product: int = 0,
    **more: Any,
) -> Dated | Refused:
    item = Publishing(shop.product_ids[product], kind, wanted, MERCHANT, **more)
    [outcome] = await database.run(lambda tx: publish_plans(tx, shop.id, [item], at))
    return outcome


async def end(database: Database, shop: Shop, plan_id: PlanId, *, at: datetime = NOW, **more: Any) -> Dated | Refused:
    [outcome] = await database.run(lambda tx: end_plans(tx, shop.id, [Ending(plan_id, MERCHANT, **more)], at))
    return outcome


async def activity(
    database: Database, agency_id: PersonId, creator_percent: int = 0, agency_percent: int = 0
) -> Activity:
    draft = ActivityDraft("招商", Ppm(creator_percent * PERCENT), Ppm(agency_percent * PERCENT))
    id = ActivityId(uuid7(NOW))  # noqa: A001
    return await database.run(lambda tx: open_activity(tx, id, agency_id, draft, NOW))


async def earned(
    database: Database, shop: Shop, creator_id: PersonId, at: datetime = NOW, product: int = 0
) -> Commission | str:
    product_id = shop.product_ids[product]
    async with database.transaction() as tx:
        return (await tx.ask(commissions(shop.id, [(product_id, creator_id)], at))).of(product_id, creator_id)


async def rate(database: Database, shop: Shop, creator_id: PersonId, at: datetime = NOW, product: int = 0) -> int | str:
    """What the creator earns in percent, or the reason why nothing."""
    found = await earned(database, shop, creator_id, at, product)
    return found if isinstance(found, str) else found.creator_ppm // PERCENT


async def sold(
    database: Database,
    shop: Shop,
    lines: Sequence[tuple[ProductId, int, int, PlanId | None, PersonId | None]],
    at: datetime = NOW,
) -> None:
    """Tell of one paid order: product, quantity, goods_fen, plan and earner of each line."""
    payload = {
        "lines": [
            {"sku_id": 1, "product_id": p, "quantity": q, "goods_fen": fen, "plan_id": plan, "earner_id": earner}
            for p, q, fen, plan, earner in lines
        ]
    }
    event = told(shop.id, "orders.paid", payload, at)
    await database.run(lambda tx: count_sold(tx, shop.id, [event], at))


async def undone(
    database: Database,
    shop: Shop,
    lines: Sequence[tuple[ProductId, int, int, PlanId | None, PersonId | None]],
    paid_at: datetime = NOW,
    at: datetime = NOW,
) -> None:
    """Tell of one refund of an order that was paid at paid_at, lines as of `sold`."""
    payload = {
        "paid_at": paid_at,
        "lines": [
            {"product_id": p, "quantity": q, "amount_fen": fen, "plan_id": plan, "earner_id": earner,
             "unsold_quantity": q, "unsold_fen": fen}
            for p, q, fen, plan, earner in lines
        ],
    }  # fmt: skip
    event = told(shop.id, "orders.refund_agreed", payload, at)
    await database.run(lambda tx: count_returned(tx, shop.id, [event], at))


def told(shop_id: ShopId, topic: str, payload: Any, at: datetime) -> Event:
    return Event(EventId(uuid7(at)), shop_id, topic, msgspec.Raw(msgspec.json.encode(payload)), at)
