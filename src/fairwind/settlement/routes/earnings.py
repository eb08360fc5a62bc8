"""Earnings of creators and agencies over HTTP."""

from __future__ import annotations

from typing import Any

from litestar import get
from litestar.params import FromQuery

from fairwind.identity import Access, Caller
from fairwind.kernel import Invalid
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor
from fairwind.settlement.commands.earnings import Earnings
from fairwind.settlement.earning import Earning, EarningState, EarningTotals
from fairwind.settlement.period import PeriodName, period
from fairwind.settlement.store.earnings import NEWEST, Before, Earner


async def _page(
    earnings: Earnings,
    earner: Earner,
    caller: Caller,
    state: EarningState | None,
    of: str | None,
    cursor: str | None,
    limit: int,
) -> Page[Earning]:
    before: Any = read_cursor(cursor, Before) or NEWEST  # type: ignore[arg-type]
    found = await earnings.page(earner, caller.person, state, None if of is None else period(of), before, limit + 1)
    return page(found, limit, lambda each: (each.paid_at, each.order_id, each.line_no, each.shop_id, each.part))


@get("/earnings", opt={"access": Access.CREATOR, "refusals": [Invalid]})
async def list_earnings(
    caller: Caller,
    earnings: Earnings,
    state: FromQuery[EarningState | None] = None,
    period: FromQuery[PeriodName | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Earning]:
    """The lines that the caller had a part in as a creator, newest first: what each brings, and why or why not.

    `state` shows only those in it, `period` (a month or a day in China) only those paid then.
    """
    return await _page(earnings, "creator", caller, state, period, cursor, limit)


@get("/earnings/totals", opt={"access": Access.CREATOR})
async def get_earning_totals(caller: Caller, earnings: Earnings) -> EarningTotals:
    """What the caller has earned as a creator over all shops: estimated, settled, paid out and owed."""
    return await earnings.totals("creator", caller.person)


@get("/agency-earnings", opt={"access": Access.AGENCY, "refusals": [Invalid]})
async def list_agency_earnings(
    caller: Caller,
    earnings: Earnings,
    state: FromQuery[EarningState | None] = None,
    period: FromQuery[PeriodName | None] = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Earning]:
    """The lines that the caller earns of as an agency, by its activities or its creators, newest first."""
    return await _page(earnings, "agency", caller, state, period, cursor, limit)


@get("/agency-earnings/totals", opt={"access": Access.AGENCY})
async def get_agency_earning_totals(caller: Caller, earnings: Earnings) -> EarningTotals:
    """What the caller has earned as an agency over all shops."""
    return await earnings.totals("agency", caller.person)


HANDLERS = (list_earnings, get_earning_totals, list_agency_earnings, get_agency_earning_totals)
