"""Terms that goods are sold on, and a sale from placing to whoever earned of it: for tests of settlement."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec

from fairwind.alliance.commands.picks import Picking, pick
from fairwind.alliance.commands.plans import publish_plans
from fairwind.alliance.pick import PickDraft
from fairwind.alliance.plan import Kind, Terms
from fairwind.alliance.promise import Publishing
from fairwind.content import Placement
from fairwind.identity import NewPerson, Role, create_people, grant_membership
from fairwind.kernel import (
    CampaignId,
    Database,
    Fen,
    LiveSessionId,
    PersonId,
    Ppm,
    RefundId,
    ShopId,
    Transaction,
    accepted,
    uuid7,
)
from fairwind.kernel.outbox import Event
from fairwind.ledger import balances
from fairwind.orders import Order, ShipmentDraft, Shipping, place, ship
from fairwind.orders.commands.after_sales import Asking, Backing, ask_refunds
from fairwind.orders.commands.delivery import Receiving, receive
from fairwind.orders.refund import RefundDraft, RefundLineDraft
from fairwind.policy.campaign import PLATFORM, CampaignDraft, FunderId, FundingDraft, Rule, Scope
from fairwind.policy.commands.campaigns import accept, propose
from fairwind.settlement.commands.settling import claw_back, note_due, settle
from fairwind.settlement.store import settling as settling_store
from market import BUYER, HOLD_TTL, NOW, RECEIPT_AFTER, WINDOW, Shop, open_shop, paid, placing

OPERATOR = PersonId(1)
LATER = NOW + timedelta(hours=1)
"""When a campaign of these tests has begun."""


async def creator(database: Database, *, with_shop: bool = True) -> PersonId:
    """A new creator, who has opened a shop."""
    new = NewPerson(f"creator-{uuid7(NOW).hex[:20]}", "主播", "!", frozenset({Role.CREATOR}))

    async def work(tx: Transaction) -> PersonId:
        [person] = await create_people(tx, [new], NOW)
        return accepted(person).id

    person_id = await database.run(work)
    if with_shop:
        own = await open_shop(database, 1)
        await database.run(lambda tx: grant_membership(tx, own.id, person_id, NOW))
    return person_id


async def published(
    database: Database, shop: Shop, creator_ppm: int, *, kind: Kind = Kind.ORDINARY, now: datetime = NOW
) -> None:
    """A plan for the shop's first product."""
    item = Publishing(shop.product_ids[0], kind, Terms(Ppm(creator_ppm)), OPERATOR)
    [outcome] = await database.run(lambda tx: publish_plans(tx, shop.id, [item], now))
    accepted(outcome)


async def picked(database: Database, shop: Shop, creator_id: PersonId, now: datetime = NOW) -> None:
    """The creator shows the shop's first product."""
    item = Picking(creator_id, shop.product_ids[0], PickDraft())
    [outcome] = await database.run(lambda tx: pick(tx, shop.id, [item], now))
    accepted(outcome)


async def subsidised(
    database: Database, shop: Shop, piece_fen: int, budget_fen: int = 1_000_000, *, in_base: bool = True
) -> CampaignId:
    """A campaign that platform and shop pay half and half, running from LATER on."""
    halves = tuple(
        FundingDraft(funder, Ppm(500_000), Fen(budget_fen), in_base) for funder in (PLATFORM, FunderId(shop.id))
    )
    draft = CampaignDraft(
        id=uuid7(NOW),
        name="双百亿补贴",
        rule=Rule(piece_fen=Fen(piece_fen)),
        fundings=halves,
        scope=Scope(shop_ids=(shop.id,)),
        guard_days=0,
        starts_at=NOW,
        ends_at=NOW + timedelta(days=30),
    )
    proposed = await database.run(lambda tx: propose(tx, draft, OPERATOR, NOW))
    await database.run(lambda tx: accept(tx, proposed.id, FunderId(shop.id), PersonId(2), NOW))
    return proposed.id


def shown(shop: Shop, creator_id: PersonId) -> Placement:
    """The shop's first product in a live session of the creator's."""
    return Placement(LiveSessionId(uuid7(NOW)), shop.id, shop.product_ids[0], creator_id, NOW)


async def ordered(
    database: Database,
    shop: Shop,
    quantity: int = 1,
    *,
    by: PersonId | None = None,
    now: datetime = LATER,
    buyer_id: PersonId = BUYER,
) -> Order:
    """An order of the shop's first SKU, placed; by: the creator in whose session."""
    item = placing((shop.sku_ids[0], quantity), buyer_id=buyer_id)
    if by is not None:
        item = type(item)(item.buyer_id, item.draft, (shown(shop, by),))
    [outcome] = await database.run(lambda tx: place(tx, shop.id, [item], now, HOLD_TTL))
    return accepted(outcome)


async def received(database: Database, order: Order, now: datetime = LATER) -> Order:
    """The placed order paid, shipped, received, and its lines noted as due."""
    await paid(database, order, now)
    parcel = Shipping(order.id, ShipmentDraft("顺丰速运", "SF123456"))
    await database.run(lambda tx: ship(tx, order.shop_id, [parcel], now, RECEIPT_AFTER))
    [there] = await database.run(lambda tx: receive(tx, order.shop_id, [Receiving(order.id, None)], now, WINDOW))
    await due(database, order)
    return accepted(there)


async def due(database: Database, order: Order) -> None:
    """What the consumer of `orders.received` does."""
    told = Event(
        order.id,  # type: ignore[arg-type]
        order.shop_id,
        "orders.received",
        msgspec.Raw(msgspec.json.encode({"order_id": order.id})),
        NOW,
    )
    await database.run(lambda tx: note_due(tx, order.shop_id, [told], NOW, WINDOW))


async def settled(database: Database, shop_id: ShopId, now: datetime) -> int:
    """Settle what is due in the shop; answers how many lines it has settled in all."""

    async def work(tx: Transaction) -> int:
        due = await tx.ask(settling_store.due_lines(now, None, 1000))
        keys = [(order_id, line_no) for _, at, order_id, line_no in due if at == shop_id]
        await settle(tx, shop_id, keys, now)
        row = await tx.row("SELECT count(*) AS lines FROM settlement.settled_line WHERE shop_id = %s", (shop_id,))
        assert row is not None
        return int(row.lines)

    return await database.run(work)


async def refunded(
    database: Database,
    order: Order,
    *lines: tuple[int, int],
    freight_fen: int = 0,
    now: datetime,
    id: RefundId | None = None,  # noqa: A002
) -> None:
    """The shop gives money back, of these lines or of all that is left."""
    drafts = tuple(RefundLineDraft(line_no, amount_fen) for line_no, amount_fen in lines) or None
    draft = RefundDraft(id or RefundId(uuid7(now)), "refund_only", "补偿", drafts, freight_fen)
    asking = Asking(order.id, draft, PersonId(2), None)
    [outcome] = await database.run(lambda tx: ask_refunds(tx, order.shop_id, [asking], now, WINDOW, Backing(claw_back)))
    accepted(outcome)


async def book(database: Database, shop_id: ShopId) -> Mapping[tuple[str, int], int]:
    """The balances of a book that are not zero, by kind and party."""
    async with database.transaction() as tx:
        there = await tx.ask(balances(shop_id))
    return {(each.kind, each.party_id): each.balance_fen for each in there if each.balance_fen}
