"""Statements and closed months over HTTP: as JSON, as a spreadsheet, and as a page to print."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from litestar import Request, get
from litestar.params import FromPath, FromQuery
from litestar.response import Stream
from msgspec import Meta

from fairwind.identity import Access, Caller, Role
from fairwind.kernel import Clock, Forbidden, Invalid, NotFound, ShopId
from fairwind.kernel.pages import Cursor, Limit, Page, page, read_cursor
from fairwind.kernel.words import Language
from fairwind.settlement import spreadsheet
from fairwind.settlement.commands.closing import Periods
from fairwind.settlement.commands.statements import Statements
from fairwind.settlement.listing import Reading, Statement
from fairwind.settlement.netting import PLATFORM, Payee
from fairwind.settlement.period import ClosedPeriod, Period, PeriodName
from fairwind.settlement.routes import page as pages
from fairwind.settlement.statement import AccountKey, ClosedStatement, total

Asking = Request[Any, Any, Any]
PersonKind = Literal["creator", "agency"]
MonthName = Annotated[str, Meta(pattern=r"^2[0-9]{3}-[0-9]{2}$", examples=["2020-06"])]
Tongue = FromQuery[Language | None]
Of = FromQuery[PeriodName | None]

_OPT: dict[str, Any] = {"refusals": [NotFound, Invalid]}
_MEMBERS = _OPT | {"access": Access.SHOP_MEMBER}
_OPERATORS = _OPT | {"access": Access.OPERATOR}
_PERSONS: dict[str, Any] = {"access": Access.SIGNED_IN, "refusals": [NotFound, Invalid, Forbidden]}


def _person(caller: Caller, kind: PersonKind, payee_id: int) -> Payee:
    """The person, when it is the caller or an operator asks. Raises Forbidden."""
    if caller.person != payee_id and Role.OPERATOR not in caller.roles:
        raise Forbidden("this is somebody else's statement; ask for your own")
    return Payee(kind, payee_id)


def _language(request: Asking, asked: Language | None) -> Language:
    """The language asked for, else the first of the browser's that we speak, else Chinese."""
    if asked is not None:
        return asked
    for each in request.headers.get("accept-language", "").lower().split(","):
        for language in ("zh", "en"):
            if each.strip().startswith(language):
                return language
    return "zh"


async def _csv(statements: Statements, payee: Payee, of: Period, language: Language) -> Stream:
    await statements.heading(payee, of)
    name = f"{payee.kind}-{payee.id}-{of.name}"
    return Stream(
        _csv_pieces(statements, payee, of, language),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}.csv"'},
    )


async def _csv_pieces(statements: Statements, payee: Payee, of: Period, language: Language) -> AsyncIterator[bytes]:
    reading, names = Reading(), {}  # type: ignore[var-annotated]
    yield (spreadsheet.MARK + spreadsheet.text([spreadsheet.header(language)])).encode()
    async for part in statements.parts(payee, of):
        yield spreadsheet.text(spreadsheet.rows(reading.read(part), reading, names, language)).encode()
    last = [*spreadsheet.rows(reading.end(), reading, names, language), spreadsheet.total(reading, language)]
    yield spreadsheet.text(last).encode()


async def _html(statements: Statements, clock: Clock, payee: Payee, of: Period, language: Language) -> Stream:
    heading, summary = await statements.summary(payee, of)
    begun = pages.head(
        heading,
        total(summary.sums.values()),
        agrees=not summary.differences,
        language=language,
        now=clock.now(),
    )
    return Stream(
        _html_pieces(statements, payee, of, language, begun),
        media_type="text/html; charset=utf-8",
        headers={
            "Content-Security-Policy": pages.policy(),
            "Referrer-Policy": "same-origin",
            "Vary": "Accept-Language",
            "Cache-Control": "no-store",
        },
    )


async def _html_pieces(
    statements: Statements, payee: Payee, of: Period, language: Language, begun: str
) -> AsyncIterator[bytes]:
    reading = Reading()
    yield begun.encode()
    async for part in statements.parts(payee, of):
        yield "".join(pages.body(reading.read(part), reading, language)).encode()
    yield "".join([*pages.body(reading.end(), reading, language), pages.foot(reading, language)]).encode()


@get("/shops/{shop_id:int}/statement", opt=_MEMBERS)
async def get_shop_statement(
    shop_id: FromPath[ShopId],
    statements: Statements,
    period: Of = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Statement:
    """What a shop earned, gave back, funded and was paid in a month or on a day, each line with its formula.

    For a supplier as well, and with what either put into subsidies in any shop's book. `period` is the present month
    when left out; `sums` of the whole are on the first page.
    """
    return await statements.page(Payee("shop", shop_id), statements.period(period), cursor, limit)


@get("/shops/{shop_id:int}/statement.csv", media_type="text/csv", opt=_MEMBERS)
async def export_shop_statement(
    request: Asking, shop_id: FromPath[ShopId], statements: Statements, period: Of = None, lang: Tongue = None
) -> Stream:
    """The shop's whole statement as a spreadsheet, in the language asked for by `lang` or the browser."""
    of = statements.period(period)
    return await _csv(statements, Payee("shop", shop_id), of, _language(request, lang))


@get("/shops/{shop_id:int}/statement.html", media_type="text/html", opt=_MEMBERS)
async def print_shop_statement(
    request: Asking,
    shop_id: FromPath[ShopId],
    statements: Statements,
    clock: Clock,
    period: Of = None,
    lang: Tongue = None,
) -> Stream:
    """The shop's whole statement as a page to read and to print."""
    of = statements.period(period)
    return await _html(statements, clock, Payee("shop", shop_id), of, _language(request, lang))


@get("/payees/{kind:str}/{payee_id:int}/statement", opt=_PERSONS)
async def get_person_statement(
    kind: FromPath[PersonKind],
    payee_id: FromPath[int],
    caller: Caller,
    statements: Statements,
    period: Of = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Statement:
    """What a creator, or an agency, earned in a month or on a day over all shops: their own, or for an operator."""
    return await statements.page(_person(caller, kind, payee_id), statements.period(period), cursor, limit)


@get("/payees/{kind:str}/{payee_id:int}/statement.csv", media_type="text/csv", opt=_PERSONS)
async def export_person_statement(
    request: Asking,
    kind: FromPath[PersonKind],
    payee_id: FromPath[int],
    caller: Caller,
    statements: Statements,
    period: Of = None,
    lang: Tongue = None,
) -> Stream:
    """A creator's or an agency's whole statement as a spreadsheet."""
    of = statements.period(period)
    return await _csv(statements, _person(caller, kind, payee_id), of, _language(request, lang))


@get("/payees/{kind:str}/{payee_id:int}/statement.html", media_type="text/html", opt=_PERSONS)
async def print_person_statement(
    request: Asking,
    kind: FromPath[PersonKind],
    payee_id: FromPath[int],
    caller: Caller,
    statements: Statements,
    clock: Clock,
    period: Of = None,
    lang: Tongue = None,
) -> Stream:
    """A creator's or an agency's whole statement as a page to read and to print."""
    of = statements.period(period)
    return await _html(statements, clock, _person(caller, kind, payee_id), of, _language(request, lang))


@get("/platform/statement", opt=_OPERATORS)
async def get_platform_statement(
    statements: Statements,
    period: Of = None,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Statement:
    """What the platform kept of sales and commissions, and put into subsidies, in a month or on a day."""
    return await statements.page(PLATFORM, statements.period(period), cursor, limit)


@get("/platform/statement.csv", media_type="text/csv", opt=_OPERATORS)
async def export_platform_statement(
    request: Asking, statements: Statements, period: Of = None, lang: Tongue = None
) -> Stream:
    """The platform's whole statement as a spreadsheet."""
    return await _csv(statements, PLATFORM, statements.period(period), _language(request, lang))


@get("/platform/statement.html", media_type="text/html", opt=_OPERATORS)
async def print_platform_statement(
    request: Asking, statements: Statements, clock: Clock, period: Of = None, lang: Tongue = None
) -> Stream:
    """The platform's whole statement as a page to read and to print."""
    return await _html(statements, clock, PLATFORM, statements.period(period), _language(request, lang))


@get("/periods", opt={"access": Access.OPERATOR})
async def list_closed_periods(
    periods: Periods, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[ClosedPeriod]:
    """The months that are closed, the latest first: nothing is entered into them any more."""
    found = await periods.closed(read_cursor(cursor, str), limit + 1)
    return page(found, limit, lambda each: each.period)


@get("/periods/{month:str}/statements", opt={"access": Access.OPERATOR, "refusals": [NotFound]})
async def list_closed_statements(
    month: FromPath[MonthName],
    periods: Periods,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 50,
) -> Page[ClosedStatement]:
    """What each payee's account came to in a closed month, by book, account and party."""
    found = await periods.statements(month, read_cursor(cursor, AccountKey), limit + 1)
    return page(found, limit, lambda each: (each.shop_id, each.account, each.party_id))


HANDLERS = (
    get_shop_statement,
    export_shop_statement,
    print_shop_statement,
    get_person_statement,
    export_person_statement,
    print_person_statement,
    get_platform_statement,
    export_platform_statement,
    print_platform_statement,
    list_closed_periods,
    list_closed_statements,
)
