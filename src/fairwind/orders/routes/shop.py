"""A shop's freight rule and its book over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from litestar import get, put
from litestar.params import FromPath, FromQuery, JSONBody
from msgspec import Meta

from fairwind.identity import Access
from fairwind.kernel import (
    Invalid,
    NotFound,
    OrderId,
    ShopId,
)
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor
from fairwind.ledger import AccountKind, Balance, StatementLine
from fairwind.orders.book import Book, TransferView
from fairwind.orders.orders import Orders
from fairwind.orders.pricing import FreightRule

Moment = Annotated[datetime, Meta(tz=True, description="A time with its zone, as in 2026-01-31T08:00:00+08:00")]


@get("/shops/{shop_id:int}/freight-rule", opt={"access": Access.PUBLIC})
async def get_freight_rule(shop_id: FromPath[ShopId], orders: Orders) -> FreightRule:
    """What the shop asks for delivery."""
    return await orders.freight_rule(shop_id)


@put("/shops/{shop_id:int}/freight-rule", opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]})
async def put_freight_rule(shop_id: FromPath[ShopId], data: JSONBody[FreightRule], orders: Orders) -> FreightRule:
    """Set what the shop asks for delivery, from the next order on."""
    return await orders.set_freight_rule(shop_id, data)


@get("/shops/{shop_id:int}/accounts", opt={"access": Access.SHOP_MEMBER})
async def list_accounts(shop_id: FromPath[ShopId], book: Book) -> list[Balance]:
    """The accounts of the shop's book; they sum to zero."""
    return await book.balances(shop_id)


@get("/shops/{shop_id:int}/accounts/{kind:str}/statement", opt={"access": Access.SHOP_MEMBER, "refusals": [Invalid]})
async def get_statement(
    shop_id: FromPath[ShopId],
    kind: FromPath[AccountKind],
    book: Book,
    party_id: FromQuery[Annotated[int, Meta(ge=0)]] = 0,
    since: FromQuery[Moment | None] = None,
    until: FromQuery[Moment | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[StatementLine]:
    """An account's transfers from `since` (included) to `until` (not included), oldest first, each with its balance."""
    found = await book.statement(shop_id, kind, party_id, since, until, read_cursor(cursor, UUID), limit + 1)
    return page(found, limit, lambda line: line.transfer_id)


@get("/shops/{shop_id:int}/orders/{order_id:uuid}/transfers", opt={"access": Access.SHOP_MEMBER})
async def list_transfers(shop_id: FromPath[ShopId], order_id: FromPath[OrderId], book: Book) -> list[TransferView]:
    """What an order has moved in the shop's book, fen by fen."""
    return await book.transfers(shop_id, order_id)


HANDLERS = (get_freight_rule, put_freight_rule, list_accounts, get_statement, list_transfers)
