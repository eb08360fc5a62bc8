"""A live sale from going live to the last refund: the host pins flash goods, the crowd does the rest."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from random import Random
from time import perf_counter
from typing import NamedTuple

import httpx
import msgspec

from fairwind.demo import crowd, store
from fairwind.demo.crowd import Linked, Merchant, News, Plan
from fairwind.demo.figures import DEAR_YUAN, Candidate, Figures
from fairwind.demo.stage import Shop, Stage, signed_in
from fairwind.demo.view import Frame
from fairwind.kernel import Clock, Database, LiveSessionId, ShopId, SkuId, uuid7

DROPS = 5
DEAR_DROPS = 2
"""Of the flash goods, how many cost DEAR_YUAN and more: the article's session had 35 %."""
BUYER_LIMIT = 2
_LOOK_EVERY_S = 0.25
_SETTLE_S = 20.0

_HotSkus = Sequence[tuple[ShopId, SkuId, int]]


class Drop(NamedTuple):
    """A SKU to pin, with so many in stock."""

    goods: Candidate
    quantity: int


class Sale(NamedTuple):
    """A live sale that is over. last: how it ended."""

    session_id: LiveSessionId
    last: Frame


class CrowdGone(Exception):  # noqa: N818
    """The crowd's process ended before the sale."""


async def hold(
    url: str,
    database: Database,
    clock: Clock,
    stage: Stage,
    links: Sequence[Linked],
    title: str,
    seconds: float,
    seed: int,
    show: Callable[[Frame], None],
) -> Sale:
    """Hold a live sale; show is called again and again with how it goes."""
    async with signed_in(url, stage.host) as host:
        session_id = await _go_live(host, clock, title)
        async with database.transaction() as tx:
            dice = Random(f"{seed} {await store.sessions_held(tx)}")  # noqa: S311
        drops = await _choose(database, stage, dice)
        for drop in drops:
            await _stock_up(url, stage.shops, drop, clock)
        hot = [(drop.goods.shop_id, drop.goods.sku_id, drop.quantity) for drop in drops]
        shop_ids = [shop.id for shop in stage.shops]
        plan = Plan(
            url,
            str(session_id),
            list(stage.buyers),
            [Merchant(shop.id, shop.session) for shop in stage.shops],
            list(links),
            seconds,
            dice.randrange(2**31),
        )
        started = perf_counter()
        pinning = asyncio.create_task(_pin(host, session_id, drops, seconds / (len(drops) + 1)))
        try:
            async with _crowd(plan) as told:
                async for news in told:
                    async with database.transaction() as tx:
                        figures = await store.figures(tx, session_id, shop_ids, hot)
                    elapsed_s = perf_counter() - started
                    show(Frame(title, elapsed_s, False, figures, news.requests, news.refusals, news.p99_ms))
            await pinning
        finally:
            pinning.cancel()
        await host.put(f"/live-sessions/{session_id}/end")
    figures = await _settled(database, session_id, shop_ids, hot)
    last = Frame(title, perf_counter() - started, True, figures, news.requests, news.refusals, news.p99_ms)
    show(last)
    return Sale(session_id, last)


async def _go_live(host: httpx.AsyncClient, clock: Clock, title: str) -> LiveSessionId:
    """Start a live session; one that an interrupted run left behind is ended first."""
    await host.put("/rooms/mine", json={"title": "小风的直播间"})
    me = (await host.get("/people/me")).json()["id"]
    for session in (await host.get("/live-sessions?limit=100")).json()["items"]:
        if session["host_id"] == me:
            await host.put(f"/live-sessions/{session['id']}/end")
    session_id = LiveSessionId(uuid7(clock.now()))
    await host.put(f"/live-sessions/{session_id}", json={"title": title})
    return session_id


async def _choose(database: Database, stage: Stage, dice: Random) -> list[Drop]:
    """The flash goods, in the order in which they are shown; each enough for a part of those who will want it.

    One of them is the supplier's, which is subsidised.
    """
    async with database.transaction() as tx:
        offered = await store.offered(tx, [shop.id for shop in stage.shops])
    dear = [goods for goods in offered if goods.price_fen >= DEAR_YUAN * 100]
    rest = [goods for goods in offered if goods.price_fen < DEAR_YUAN * 100]
    [supplier] = [shop.id for shop in stage.shops if shop.plan.channel == "supplier"]
    subsidised = dice.choice([goods for goods in rest if goods.shop_id == supplier])
    rest.remove(subsidised)
    chosen = [subsidised, *dice.sample(dear, DEAR_DROPS), *dice.sample(rest, DROPS - DEAR_DROPS - 1)]
    dice.shuffle(chosen)
    wanted = len(stage.buyers) * crowd.INTEREST
    return [Drop(goods, round(wanted * dice.uniform(0.25, 0.65))) for goods in chosen]


async def _stock_up(url: str, shops: Sequence[Shop], drop: Drop, clock: Clock) -> None:
    """Have as many of the flash goods as the drop says, and a limit for each buyer."""
    [shop] = [shop for shop in shops if shop.id == drop.goods.shop_id]
    sku = f"/shops/{shop.id}/skus/{drop.goods.sku_id}"
    async with signed_in(url, shop.session) as merchant:
        await merchant.put(f"{sku}/buyer-limit", json={"buyer_limit": BUYER_LIMIT})
        there = (await merchant.get(f"{sku}/stock")).json()["available_quantity"]
        if drop.quantity != there:
            adjustment = {"id": str(uuid7(clock.now())), "quantity": drop.quantity - there, "reason": "直播备货"}
            await merchant.post(f"{sku}/stock-adjustments", json=adjustment)


async def _pin(host: httpx.AsyncClient, session_id: LiveSessionId, drops: Sequence[Drop], pause_s: float) -> None:
    """Pick one flash good after another from the alliance's pool, and show it."""
    me = (await host.get("/people/me")).json()["id"]
    for position, drop in enumerate(drops):
        await host.put(f"/creators/{me}/shelf/{drop.goods.shop_id}/{drop.goods.product_id}", json={})
        await host.put(
            f"/live-sessions/{session_id}/pins/{drop.goods.shop_id}/{drop.goods.product_id}",
            json={"position": position, "note": f"秒杀 {drop.quantity} 件"},
        )
        await asyncio.sleep(pause_s)


@asynccontextmanager
async def _crowd(plan: Plan) -> AsyncIterator[AsyncIterator[News]]:
    """The crowd in its own process, and what it tells; it goes when we do."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", crowd.__name__),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,  # Ctrl-C is for us; we send the crowd home
    )
    assert process.stdin
    assert process.stdout
    try:
        process.stdin.write(msgspec.json.encode(plan))
        process.stdin.write_eof()
        yield _news(process.stdout)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def _news(told: asyncio.StreamReader) -> AsyncIterator[News]:
    async for line in told:
        news = msgspec.json.decode(line, type=News)
        yield news
        if news.over:
            return
    raise CrowdGone("the crowd's process ended before the sale; its messages are above")


async def _settled(database: Database, session_id: LiveSessionId, shops: Sequence[ShopId], hot: _HotSkus) -> Figures:
    """The figures once all money that was to go back has gone, or after a while."""
    until = perf_counter() + _SETTLE_S
    while True:
        async with database.transaction() as tx:
            waiting = await store.refunds_under_way(tx, shops)
            figures = await store.figures(tx, session_id, shops, hot)
        if waiting == 0 or perf_counter() > until:
            return figures
        await asyncio.sleep(_LOOK_EVERY_S)
