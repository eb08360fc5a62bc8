"""What an order is made of, over HTTP."""

from __future__ import annotations

from litestar import get
from litestar.params import FromPath

from fairwind.identity import Access
from fairwind.kernel import Database, NotFound, OrderId, ShopId
from fairwind.orders import sold_lines
from fairwind.policy import stored_rules
from fairwind.settlement.breakdown import LineBreakdown, broken_down
from fairwind.settlement.share import terms_of
from fairwind.settlement.store.settling import settled_lines


@get(
    "/shops/{shop_id:int}/orders/{order_id:uuid}/shares",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound]},
)
async def get_shares(shop_id: FromPath[ShopId], order_id: FromPath[OrderId], database: Database) -> list[LineBreakdown]:
    """Line by line, what an order was sold on and why, and who gets how much of it, or got when it settled."""
    async with database.transaction() as tx:
        lines, settled = await tx.together(sold_lines(shop_id, [order_id]), settled_lines(shop_id, [order_id]))
        rules = await tx.ask(stored_rules({line.fee_rule_id for line in lines if line.fee_rule_id}))
    if not lines:
        raise NotFound(f"there is no order {order_id} that you may see")
    return [
        broken_down(line, terms_of(line), settled.get((order_id, line.line_no)), rules)
        for line in sorted(lines, key=lambda line: line.line_no)
    ]


HANDLERS = (get_shares,)
