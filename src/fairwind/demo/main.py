"""`fairwind demo`: the whole platform on a data folder of its own, a live sale with a crowd, and what came of it."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import Awaitable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, NamedTuple, TypeVar

from cyclopts import Parameter, validators
from msgspec.structs import replace

from fairwind.demo import store
from fairwind.demo.books import Books
from fairwind.demo.figures import Given
from fairwind.demo.links import spread
from fairwind.demo.report import battle_report, channels, creators, fen_by_fen, money_out, statement, why
from fairwind.demo.sale import Sale, hold
from fairwind.demo.show import Show
from fairwind.demo.stage import PASSWORD, Stage, accounts, set_up
from fairwind.demo.terms import agree
from fairwind.demo.timetable import Timetable
from fairwind.demo.weeks import PAYOUT_EVERY_S, pass_by
from fairwind.demo.words import Language
from fairwind.kernel import Database, Platform, Settings, SettingsError, logs
from fairwind.kernel.audit import audit
from fairwind.kernel.settings import load
from fairwind.web import PACKAGES
from fairwind.web.installation import address, bring_up_to_date, data_folder, database, serving
from fairwind.web.server import listen
from fairwind.web.terminal import run, stopped_by_signal

T = TypeVar("T")

TITLE = "618 好物专场"
HOLD_TTL_S = 20
"""How long unpaid orders hold their stock during the sale, so that one sees it come back."""
_SESSION_TTL_S = 90 * 86_400
"""Sign-ins outlast the weeks that pass."""
_TOP = 8


class Crowd(NamedTuple):
    """How many buyers come, for how long orders begin, and the seed that draws what each does."""

    buyers: int
    seconds: float
    seed: int


def demo(
    *,
    quick: Annotated[bool, Parameter(negative="")] = False,
    serve: bool = True,
    buyers: Annotated[int | None, Parameter(validator=validators.Number(gte=100, lte=20_000))] = None,
    seconds: Annotated[float | None, Parameter(validator=validators.Number(gte=3, lte=600))] = None,
    seed: Annotated[int, Parameter(validator=validators.Number(gte=0, lt=2**31))] = 618,
    lang: Language = "en",
    host: str | None = None,
    port: int | None = None,
    data: str | None = None,
    picture: Path | None = None,
) -> int:
    """Hold a live sale with a crowd of simulated buyers, let the weeks pass until all is settled and paid out, report
    on it, and keep serving.

    Parameters
    ----------
    quick
        A small crowd for a few seconds.
    serve
        Keep serving after the sale, until Ctrl-C.
    buyers
        How many buyers come: 3,000, or 400 when quick.
    seconds
        For how long orders begin: 24, or 8 when quick.
    seed
        Draws the flash goods and what each buyer does. Who is quicker is not drawn.
    lang
        The language of the view and the report.
    host
        Address to listen on.
    port
        Port to listen on; 0 takes a free one.
    data
        The demo's own data folder; beside the ordinary one when left out.
    picture
        Save the last view of the sale to this file, as SVG.
    """
    settings = _settings(host, port, data)
    logs.set_up(settings.log_level, settings.log_format)
    show = Show(lang, picture)
    mark = _checked(data_folder(settings)) / "demo"
    show.tell("The demo keeps its data in {folder}; it never touches other data.", folder=mark.parent)
    crowd = Crowd(buyers or (400 if quick else 3000), seconds or (8.0 if quick else 24.0), seed)
    with listen(settings) as listener, database(settings, show.say) as url:
        mark.touch()
        bring_up_to_date(url, show.say)
        return int(run(_demo(settings, url, listener, crowd, show, Timetable(mark), serve=serve)))


def _settings(host: str | None, port: int | None, data: str | None) -> Settings:
    """The settings of this installation, for a data folder and a database of the demo's own."""
    settings = load(os.environ, host=host, port=port)
    folder = data_folder(settings)
    own = str(data or folder.with_name(f"{folder.name}-demo"))
    log_level = "error" if settings.log_level == "error" else "warning"  # a line for each request would drown the view
    return replace(
        settings,
        data=own,
        database_url="",
        log_level=log_level,
        log_format="text",
        payout_every_s=PAYOUT_EVERY_S,
        session_ttl_s=_SESSION_TTL_S,
    )


def _checked(folder: Path) -> Path:
    """folder, which is new or was the demo's before; SettingsError for any other."""
    if folder.is_dir() and any(folder.iterdir()) and not (folder / "demo").exists():
        raise SettingsError(f"{folder} holds something that is not the demo's; name a new folder with --data")
    return folder


async def _demo(
    settings: Settings,
    url: str,
    listener: socket.socket,
    crowd: Crowd,
    show: Show,
    timetable: Timetable,
    *,
    serve: bool,
) -> int:
    stop = stopped_by_signal()
    async with serving(replace(settings, hold_ttl_s=HOLD_TTL_S), url, listener, timetable.clock) as platform:
        status = await _unless(stop, _sell(platform, crowd, show, timetable))
        settings = replace(settings, port=platform.settings.port, sandbox_port=platform.settings.sandbox_port)
    if status is None or not serve:
        return 130 if status is None else status
    # The sale is over: from here on unpaid orders are held as long as anywhere.
    with listen(settings) as listener:
        async with serving(settings, url, listener, timetable.clock) as platform:
            provider = f"http://{settings.host}:{platform.settings.sandbox_port}/switches"
            checks = [f"{sys.argv[0]} {command} --data {settings.data}" for command in ("audit", "alliance replay")]
            days = round(timetable.clock.ahead / timedelta(days=1))
            show.doors(address(platform.settings), provider, accounts(show.words), PASSWORD, checks, days)
            await stop.wait()
            show.say("Stopping: finishing what is in flight")
    return status


async def _sell(platform: Platform, crowd: Crowd, show: Show, timetable: Timetable) -> int:
    """The sale, the weeks after it, and all that is told of them. Answers 1 when the audit finds anything wrong."""
    url, pool, clock = address(platform.settings), platform.database, platform.clock
    ttl = timedelta(seconds=platform.settings.session_ttl_s)
    stage = await set_up(url, pool, clock, crowd.buyers, ttl, show.tell)
    await agree(url, stage, timetable, show.tell)
    links = await spread(url, stage, show.tell)
    with show.sale() as watch:
        sale = await hold(url, pool, clock, stage, links, TITLE, crowd.seconds, crowd.seed, watch)
    show.save(sale.last)
    given = await pass_by(url, pool, stage, sale.session_id, timetable, crowd.seed, show.step)
    await _report(url, pool, stage, sale, given, show, timetable)
    with show.audit() as progress:
        findings = await audit(pool, PACKAGES, progress)
    show.findings(findings)
    return 1 if findings.offending else 0


async def _report(
    url: str, pool: Database, stage: Stage, sale: Sale, given: Given, show: Show, timetable: Timetable
) -> None:
    shop_ids = [shop.id for shop in stage.shops]
    async with pool.transaction() as tx:
        sellers = await store.top_sellers(tx, sale.session_id, shop_ids, _TOP)
        proceeds = await store.proceeds(tx, sale.session_id, shop_ids)
        story = await store.story(tx, sale.session_id, shop_ids)
        payouts = await store.payouts(tx)
    show.print(battle_report(TITLE, sale.last.figures, sellers, proceeds, given, show.words))
    show.print(money_out(payouts, show.words))
    show.print(fen_by_fen(story, show.words))
    if story is None:
        return
    books = Books(url, stage, timetable.clock.now())
    show.print(why(await books.shares(story), show.words, show.language))
    show.print(creators(await books.creators(), show.words))
    show.print(channels(await books.channels(story), show.words, show.language))
    for payee in ("shop", "creator"):
        show.print(statement(await books.statement(payee, story), show.words, show.language))


async def _unless(stop: asyncio.Event, work: Awaitable[T]) -> T | None:
    """What work answers, or None when it was stopped."""
    working, stopping = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if working.done():
        return working.result()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    return None
