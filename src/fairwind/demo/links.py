"""A creator who never goes live: picks goods through the agency's activity, and spreads short links to them."""

from __future__ import annotations

from fairwind.demo.crowd import Linked
from fairwind.demo.stage import Stage, made_id, signed_in
from fairwind.demo.words import Tell

CHANNEL = "youzan"
"""The channel of the shop whose goods join the activity."""
GOODS = 3
TERMS = {"creator_ppm": 180_000, "agency_ppm": 30_000}


async def spread(url: str, stage: Stage, tell: Tell) -> list[Linked]:
    """Have goods of a shop join the activity, pick them, and make a link to each; what is there stays."""
    [shop] = [shop for shop in stage.shops if shop.plan.channel == CHANNEL]
    activity = made_id("activity")
    async with signed_in(url, shop.session) as merchant:
        listed = (await merchant.get(f"/shops/{shop.id}/products", params={"limit": GOODS})).json()["items"]
        for product in listed:
            await merchant.put(f"/shops/{shop.id}/products/{product['id']}/plans/activities/{activity}", json=TERMS)
    linked = []
    async with signed_in(url, stage.sharer) as sharer:
        await sharer.post("/shops", json={"id": made_id("sharer"), "name": "小雨的小店", "channel": "own"})
        promotion = (await sharer.post("/promotions", json={"name": "小雨种草", "outlet": "wechat"})).json()["id"]
        for product in listed:
            shelf = f"/creators/{stage.sharer_id}/shelf/{shop.id}/{product['id']}"
            await sharer.put(shelf, json={"activity_id": activity})
            draft = {"promotion_id": promotion, "shop_id": shop.id, "product_id": product["id"]}
            link = (await sharer.post("/links", json=draft)).json()
            skus = (await sharer.get(f"/shops/{shop.id}/products/{product['id']}")).json()["skus"]
            linked.append(Linked(link["code"], shop.id, [sku["id"] for sku in skus if sku["on_shelf"]]))
    tell(
        "{count} products of {shop} joined the agency's activity; a second creator spreads links to them",
        count=len(linked),
        shop=shop.name,
    )
    return linked
