"""What those who earned of the sale can read of it, asked for by the HTTP API as they would."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from fairwind.demo.figures import Story
from fairwind.demo.stage import HOST, Shop, Stage, signed_in
from fairwind.kernel import CHINA


class Books:
    """The books of the demo's shops and people at a time."""

    def __init__(self, url: str, stage: Stage, now: datetime) -> None:
        self._url = url
        self._stage = stage
        self._month = now.astimezone(CHINA).strftime("%Y-%m")

    def _shop(self, story: Story) -> Shop:
        [shop] = [shop for shop in self._stage.shops if shop.id == story.shop_id]
        return shop

    async def shares(self, story: Story) -> list[dict[str, Any]]:
        """Line by line, on what terms the order was sold, why, and who got how much."""
        async with signed_in(self._url, self._shop(story).session) as merchant:
            return list((await merchant.get(f"/shops/{story.shop_id}/orders/{story.order_id}/shares")).json())

    async def creators(self) -> list[dict[str, Any]]:
        """What each creator has earned so far, and what came of their links."""
        found = []
        for session in (self._stage.host, self._stage.sharer):
            async with signed_in(self._url, session) as creator:
                name = (await creator.get("/people/me")).json()["name"]
                totals = (await creator.get("/earnings/totals")).json()
                promotions = (await creator.get("/promotions")).json()["items"]
                days = [
                    day
                    for promotion in promotions
                    for day in (await creator.get(f"/promotions/{promotion['id']}/days")).json()["items"]
                ]
            clicks, orders = (sum(day[key] for day in days) for key in ("clicks", "orders"))
            found.append(totals | {"name": name, "links": bool(promotions), "clicks": clicks, "orders": orders})
        return found

    async def channels(self, story: Story) -> dict[str, Any]:
        """What the same good would net through each channel."""
        terms = {"price_fen": story.price_fen, "commission_ppm": self._shop(story).plan.creator_ppm}
        async with signed_in(self._url, self._stage.operator) as somebody:
            found: dict[str, Any] = (await somebody.get("/channel-comparison", params=terms)).json()
        return found

    async def statement(self, payee: Literal["shop", "creator"], story: Story) -> dict[str, Any]:
        """The first page of this month's statement of the story's shop, or of the host."""
        shop = self._shop(story)
        path = f"/shops/{shop.id}" if payee == "shop" else f"/payees/creator/{self._stage.host_id}"
        async with signed_in(self._url, shop.session if payee == "shop" else self._stage.host) as client:
            params: dict[str, str | int] = {"period": self._month, "limit": 50}
            found: dict[str, Any] = (await client.get(f"{path}/statement", params=params)).json()
        login = shop.login if payee == "shop" else HOST
        return found | {"address": f"{self._url}{path}/statement.html?period={self._month}", "login": login}
