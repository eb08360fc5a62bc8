"""A shop with goods, and what buyers and providers ask of it: shared by the tests that trade."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from fairwind.catalog import ProductDraft, SkuDraft, Stockroom, add_products
from fairwind.inventory import add_stock
from fairwind.kernel import (
    Database,
    Fen,
    OrderId,
    PaymentId,
    PersonId,
    ProductId,
    RefundId,
    ShopId,
    SkuId,
    Transaction,
    accepted,
    next_ids,
    uuid7,
)
from fairwind.kernel.audit import checks_of
from fairwind.orders import Address, LineDraft, Order, OrderDraft, Placing
from fairwind.orders.commands.paying import deliver
from fairwind.orders.commands.placing import place
from fairwind.payments import Draft, Notice, Part, create

NOW = datetime(2020, 6, 18, 12, tzinfo=UTC)
HOLD_TTL = timedelta(minutes=15)
WINDOW = timedelta(days=15)
RECEIPT_AFTER = timedelta(days=10)
BUYER = PersonId(7)
ADDRESS = Address("王小明", "13800000000", "110105", "建国路 1 号")


@dataclass(frozen=True)
class Shop:
    """A shop, its SKUs in order, and the product of each."""

    id: ShopId
    sku_ids: tuple[SkuId, ...]
    product_ids: tuple[ProductId, ...]

    @property
    def sku_id(self) -> SkuId:
        """The one SKU of a shop that has one."""
        (sku_id,) = self.sku_ids
        return sku_id


async def open_shop(database: Database, *stock: int, price_fen: int = 9900) -> Shop:
    """A new shop with a SKU on the shelf for each quantity of stock."""

    async def work(tx: Transaction) -> Shop:
        [shop_id] = map(ShopId, await next_ids(tx, 1))
        await tx.execute(
            "INSERT INTO catalog.shop (shop_id, name, channel, opened_on, created_at)"
            " VALUES (%s, '乘风小店', 'own', '2020-05-01', %s)",
            (shop_id, NOW),
        )
        drafts = [
            ProductDraft(
                code=f"P{number}", title=f"雨伞 {number}", skus=[SkuDraft(price_fen=Fen(price_fen), stock=left)]
            )
            for number, left in enumerate(stock)
        ]
        products = [accepted(each) for each in await add_products(tx, shop_id, drafts, NOW, Stockroom(add_stock))]
        return Shop(shop_id, tuple(each.skus[0].id for each in products), tuple(each.id for each in products))

    return await database.run(work)


CONTEXTS = ("ledger", "inventory", "payments", "alliance", "policy", "orders", "settlement")
_CHECKS = [
    check
    for name in CONTEXTS
    for check in checks_of(f"fairwind.{name}")
    if "shop_id" in check.sql.upper().partition("FROM")[0].lower()  # what has no shop is not of this shop's trade
]
_AUDIT = " UNION ALL ".join(
    f"SELECT {number} AS number, row_to_json(found) AS found"
    f" FROM ({check.sql.replace('%', '%%')}) AS found WHERE shop_id = ANY (%(shops)s)"
    for number, check in enumerate(_CHECKS)
)


async def broken(tx: Transaction, shop_ids: Sequence[int]) -> list[tuple[str, Any]]:
    """What the audit's checks of trade find in these shops: the invariant that is broken, and a row that breaks it."""
    rows = await tx.rows(_AUDIT, {"shops": list(shop_ids)})  # type: ignore[arg-type]
    return [(_CHECKS[row.number].invariant, row.found) for row in rows]


def order_id() -> OrderId:
    return OrderId(uuid7(NOW))


def payment_id() -> PaymentId:
    return PaymentId(uuid7(NOW))


def refund_id() -> RefundId:
    return RefundId(uuid7(NOW))


def lines(*wanted: tuple[SkuId, int]) -> tuple[LineDraft, ...]:
    return tuple(LineDraft(sku_id, quantity) for sku_id, quantity in wanted)


def placing(*wanted: tuple[SkuId, int], buyer_id: PersonId = BUYER, id: OrderId | None = None) -> Placing:  # noqa: A002
    """An order for these SKUs and quantities."""
    draft = OrderDraft(id or order_id(), lines(*wanted), ADDRESS)
    return Placing(buyer_id, draft, (None,) * len(wanted))


async def placed(database: Database, shop: Shop, *wanted: tuple[SkuId, int], buyer_id: PersonId = BUYER) -> Order:
    """A placed order; one of the shop's only SKU when nothing else is wanted."""
    item = placing(*(wanted or [(shop.sku_id, 1)]), buyer_id=buyer_id)
    [order] = await database.run(lambda tx: place(tx, shop.id, [item], NOW, HOLD_TTL))
    return accepted(order)


async def payment_for(database: Database, *orders: Order) -> Notice:
    """A new payment of these orders, and the notice of its success that the provider is yet to send."""
    parts = tuple(sorted(Part(order.shop_id, order.id, order.total_fen) for order in orders))
    draft = Draft(payment_id(), orders[0].buyer_id, parts, orders[0].expires_at)
    home = parts[0].shop_id
    [payment] = await database.run(lambda tx: create(tx, home, [draft], NOW))
    return Notice(accepted(payment).id, home, Fen(draft.amount_fen), "succeeded", f"ref-{draft.id}", NOW)


async def paid(database: Database, order: Order, now: datetime = NOW) -> PaymentId:
    """Pay the order; answers its payment."""
    notice = await payment_for(database, order)
    [refused] = await database.run(lambda tx: deliver(tx, notice.shop_id, [notice], now))
    assert refused is None
    return notice.payment_id


def people(count: int) -> list[PersonId]:
    return [PersonId(1000 + number) for number in range(count)]
