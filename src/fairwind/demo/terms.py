"""Before the sale: who earns what of it is agreed upon, as everybody would, through the HTTP API.

Merchants publish a plan for each of their goods; an agency, the MCN of the host, has a part of the host's commissions
and an activity of its own; the operator and the supplier put up a subsidy half and half.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

import httpx

from fairwind.demo.stage import Shop, Stage, made_id, signed_in
from fairwind.demo.timetable import Timetable
from fairwind.demo.words import Tell
from fairwind.kernel import uuid7

MCN_PPM = 300_000
ACTIVITY = {"title": "乘风严选招商", "creator_ppm_min": 100_000, "agency_ppm_min": 20_000}
SUBSIDY_PIECE_MAX_FEN = 5000
SUBSIDY_PPM = 100_000
BUDGET_FEN = 10_000_000
_AT_ONCE = 16


async def agree(url: str, stage: Stage, timetable: Timetable, tell: Tell) -> None:
    """Terms for everything that could be sold; those of earlier runs stay."""
    async with signed_in(url, stage.host) as host, signed_in(url, stage.agency) as agency:
        await host.post("/shops", json={"id": made_id("host"), "name": "小风的小店", "channel": "own"})
        if await _join_mcn(host, agency, stage):
            timetable.advance(timedelta(days=1))
            tell(
                "the host has joined the agency's MCN for {percent} %, since the next midnight",
                percent=MCN_PPM // 10_000,
            )
        await agency.put(f"/activities/{made_id('activity')}", json=ACTIVITY)
    for shop in stage.shops:
        async with signed_in(url, shop.session) as merchant:
            count = await _publish(merchant, shop)
        tell(
            "{shop}: plans for {count} products, {percent} % for creators",
            shop=shop.name,
            count=count,
            percent=shop.plan.creator_ppm // 10_000,
        )
    [supplier] = [shop for shop in stage.shops if shop.plan.channel == "supplier"]
    await _subsidise(url, stage, supplier, timetable)
    tell(
        "subsidy: {percent} % of what {supplier} sells; platform and supplier pay half each",
        percent=SUBSIDY_PPM // 10_000,
        supplier=supplier.name,
    )


async def _join_mcn(host: httpx.AsyncClient, agency: httpx.AsyncClient, stage: Stage) -> bool:
    """Whether the host has joined just now, and not in an earlier run."""
    there = (await host.get(f"/creators/{stage.host_id}/mcn")).json()
    if any(each["accepted_at"] and not each["ends_at"] for each in there["items"]):
        return False
    split = {"split_ppm": MCN_PPM}
    await agency.put(f"/agencies/{stage.agency_id}/members/{stage.host_id}", json=split)
    await host.put(f"/creators/{stage.host_id}/mcn/{stage.agency_id}", json=split)
    return True


async def _publish(merchant: httpx.AsyncClient, shop: Shop) -> int:
    """A plan for each product of the shop; answers how many."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def publish(product: dict[str, Any]) -> None:
        async with slots:
            path = f"/shops/{shop.id}/products/{product['id']}/plans/ordinary"
            await merchant.put(path, json={"creator_ppm": shop.plan.creator_ppm})

    products = [product async for product in _all(merchant, f"/shops/{shop.id}/products")]
    await asyncio.gather(*map(publish, products))
    return len(products)


async def _all(client: httpx.AsyncClient, path: str) -> Any:
    cursor = None
    while True:
        page = (await client.get(path, params={"limit": 100} | ({"cursor": cursor} if cursor else {}))).json()
        for item in page["items"]:
            yield item
        cursor = page["next_cursor"]
        if cursor is None:
            return


async def _subsidise(url: str, stage: Stage, supplier: Shop, timetable: Timetable) -> None:
    """A new campaign for the supplier's goods; those of earlier runs are stopped."""
    async with signed_in(url, stage.operator) as operator, signed_in(url, supplier.session) as merchant:
        for campaign in (await operator.get("/campaigns", params={"limit": 100})).json()["items"]:
            if campaign["state"] == "agreed":
                await operator.put(f"/campaigns/{campaign['id']}/stop")
        now = timetable.clock.now()
        halves = [{"funder_id": funder, "share_ppm": 500_000, "budget_fen": BUDGET_FEN} for funder in (0, supplier.id)]
        draft = {
            "id": str(uuid7(now)),
            "name": "双百亿补贴",
            "rule": {"rate_ppm": SUBSIDY_PPM, "piece_max_fen": SUBSIDY_PIECE_MAX_FEN},
            "fundings": halves,
            "scope": {"shop_ids": [supplier.id]},
            "guard_days": 1,  # the demo's goods are a day or two old
            "starts_at": now.isoformat(),
            "ends_at": (now + timedelta(days=3)).isoformat(),
        }
        campaign = (await operator.post("/campaigns", json=draft)).json()
        await merchant.put(f"/shops/{supplier.id}/campaigns/{campaign['id']}/acceptance")
