"""Replaying attribution over the database: placed lines are decided as they were, and one that is not is printed."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace

from fairwind.alliance import Difference
from fairwind.alliance.commands.links import Linking, follow, make_links, open_promotion
from fairwind.alliance.link import Following, LinkDraft, Outlet, PromotionDraft
from fairwind.kernel import ClickId, Database, PersonId, accepted
from fairwind.orders.commands.placing import place
from fairwind.web.replays import print_json, replay_lines, told
from market import HOLD_TTL, NOW, Shop, open_shop, placing

CREATOR = PersonId(70)


async def clicked(database: Database, shop: Shop) -> ClickId:
    """A click on a link to the shop's first product."""
    draft = PromotionDraft("粉丝群", Outlet.WEB)
    promotion = await database.run(lambda tx: open_promotion(tx, CREATOR, draft, NOW))
    wanted = LinkDraft(promotion.id, shop.id, shop.product_ids[0])
    [link] = await database.run(lambda tx: make_links(tx, [Linking(CREATOR, wanted)], NOW))
    [click] = await database.run(lambda tx: follow(tx, shop.id, [Following(accepted(link), None)], NOW))
    return click.id


@pytest.fixture
async def shop(database: Database) -> Shop:
    """A shop with one order that a click led to, and one that nothing led to."""
    shop = await open_shop(database, 10)
    led = placing((shop.sku_id, 1))
    line = replace(led.draft.lines[0], clicks=(await clicked(database, shop),))
    items = [replace(led, draft=replace(led.draft, lines=(line,))), placing((shop.sku_id, 1))]
    for outcome in await database.run(lambda tx: place(tx, shop.id, items, NOW, HOLD_TTL)):
        accepted(outcome)
    return shop


async def replayed(database: Database, shop: Shop) -> tuple[int, list[Difference]]:
    found: list[Difference] = []
    lines, differences = await replay_lines(database, shop.id, found.append)
    assert differences == len(found)
    return lines, found


async def test_what_was_placed_is_decided_the_same_again(database: Database, shop: Shop) -> None:
    assert await replayed(database, shop) == (1, [])
    everywhere, _ = await replay_lines(database, None, lambda _: None)
    assert everywhere >= 1


async def test_a_line_whose_evidence_was_changed_is_found_and_told(
    database: Database, shop: Shop, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE orders.line SET evidence = jsonb_set(evidence, '{clicks,0,clicked_at}', '\"2020-01-01T00:00:00Z\"')"
            " WHERE shop_id = %s AND evidence IS NOT NULL",
            (shop.id,),
        )

    lines, [difference] = await replayed(database, shop)

    assert lines == 1
    assert (difference.decision.creator_id, difference.decision.reason) == (None, "click_too_old")
    assert told(difference).startswith(
        f"shop {shop.id} order {difference.line.order_id} line 1: went to nobody (no_plan"
    )
    assert "now to nobody (click_too_old: the click's window was over" in told(difference)
    print_json(difference)
    assert json.loads(capfdbinary.readouterr().out)["decision"]["reason"] == "click_too_old"


async def test_a_line_that_went_to_nobody_although_a_click_decided_is_found(database: Database, shop: Shop) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            "UPDATE orders.line SET attribution = 'no_evidence' WHERE shop_id = %s AND evidence IS NOT NULL", (shop.id,)
        )

    _, [difference] = await replayed(database, shop)

    assert difference.decision.creator_id == CREATOR
    assert f"now to creator {CREATOR} (last_click" in told(difference)
