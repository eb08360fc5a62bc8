"""All that a trade leaves behind: how to read it from the database, and what it is when all is as the model says."""

from __future__ import annotations

from collections import Counter
from typing import Any

from earned import Clawback, Settled
from plain import Line, Plain
from promised import ALLIANCE_PPM


def expected(model: Plain) -> dict[str, Any]:
    """What `Reality.state` answers when all is as the model says."""
    orders, refunds = model.orders, model.refunds
    return {
        "stock": Counter(
            (shop, sku, stock.adjusted, stock.sold, stock.held, stock.limit, stock.left > 0)
            for (shop, sku), stock in model.skus.items()
        ),
        "adjustments": Counter((shop, number, *content) for (shop, number), content in model.adjustments.items()),
        "holds": Counter(
            (shop, number, sku, quantity, order.expires_at)
            for (shop, number), order in orders.items()
            if order.state == "placed"
            for sku, quantity in order.quantities().items()
        ),
        "bought": Counter((*pair, quantity) for pair, quantity in model.bought.items() if quantity),
        "orders": Counter(
            (
                *(
                    shop,
                    number,
                    order.wanted.buyer,
                    order.state,
                    order.goods,
                    order.subsidy,
                    order.freight,
                    order.total,
                ),
                *(order.refunded, order.freight_back, order.placed_at, order.expires_at, order.paid_at),
                *(order.payment or (None, None)),
                *(order.shipped_at, *(order.shipment or (None, None)), order.received_at),
                *(order.closed_at, order.reason),
            )
            for (shop, number), order in orders.items()
        ),
        "lines": Counter(
            (shop, number, line_no, line.sku, line.quantity, line.price, line.limited, line.refunded, line.returned)
            for (shop, number), order in orders.items()
            for line_no, line in enumerate(order.lines, 1)
        ),
        "terms": Counter(
            (shop, number, line_no, *_terms(line))
            for (shop, number), order in orders.items()
            for line_no, line in enumerate(order.lines, 1)
        ),
        "deadlines": Counter(
            (shop, n, order.due_at) for (shop, n), order in orders.items() if order.due_at is not None
        ),
        "refunds": Counter(
            (
                *(shop, number, refund.order, refund.asked.kind, refund.state, refund.freight, refund.amount),
                *(refund.asked.person, refund.asked_at, refund.decided_at, refund.refunded_at),
            )
            for (shop, number), refund in refunds.items()
        ),
        "refund lines": Counter(
            (shop, number, line_no, quantity, amount)
            for (shop, number), refund in refunds.items()
            for line_no, amount, quantity in refund.lines
        ),
        "strays": Counter(
            (shop, order, *payment, stray.amount, stray.reason, stray.arrived_at, stray.refunded_at)
            for (shop, order, payment), stray in model.strays.items()
        ),
        "accounts": Counter((shop, *account, balance) for (shop, account), balance in model.balances().items()),
        "transfers": Counter(
            (shop, order, reason, *debit, *credit, amount)
            for (shop, order, reason, debit, credit), amount in model.transfers.items()
        ),
        "payments": Counter(
            (shop, number, payment.amount, payment.state, payment.reference)
            for (shop, number), payment in model.payments.items()
        ),
        "discrepancies": Counter(model.discrepancies),
        "money": Counter((shop, *money.payment, money.amount, money.state) for (shop, _), money in model.money.items()),
        "events": Counter((shop, topic, *_subject(topic, subject)) for shop, topic, subject in model.events),
        **_promised(model),
        **_granted(model),
        **_earned(model),
    }


def _terms(line: Line) -> tuple[Any, ...]:
    terms, commission = line.terms, line.terms.commission
    mcn, mcn_ppm = (terms.mcn if commission and terms.mcn else None) or (None, None)
    return (
        *(line.window, "shop", terms.fee, line.fee_rule, line.host, line.reason, terms.earner),
        *(commission or (None, None, None)),
        *(ALLIANCE_PPM if commission else None, mcn, mcn_ppm, None, None, 0),
        *(line.subsidy, line.grants or None),
    )


def _promised(model: Plain) -> dict[str, Any]:
    promised = model.promised
    return {
        "versions": Counter(
            (shop, product, plan.id, each.number, each.rate, each.published_at, each.since, each.superseded_at)
            for (shop, product), plans in promised.plans.items()
            for plan in plans
            for each in plan.versions
        ),
        "picks": Counter(promised.picks),
    }


def _granted(model: Plain) -> dict[str, Any]:
    campaigns = model.granted.campaigns.values()
    return {
        "allotments": Counter(
            (shop, each.id, funder, fen) for each in campaigns for (shop, funder), fen in each.spent.items() if fen
        ),
        "caps": Counter((each.id, buyer, fen) for each in campaigns for buyer, fen in each.received.items() if fen),
    }


def _earned(model: Plain) -> dict[str, Any]:
    earned = model.earned
    return {
        "due": Counter((*key, due_at) for key, due_at in earned.due.items()),
        "settled": Counter(
            (*key, each.settled_at, each.paid, each.escrow, each.base, *each.shares.values(), *_whose(each), each.back)
            for key, each in earned.settled.items()
        ),
        "clawbacks": Counter(
            (*key, each.at, each.returned, each.subsidy, *each.parts.values(), *_whose(each))
            for key, each in earned.clawbacks.items()
        ),
        "sweeps": Counter(earned.sweeps.items()),
        "swept": Counter(
            (each.shop, *each.payee, each.amount, each.at, each.payout and each.payout[2], each.paid_out_at)
            for each in earned.swept
        ),
        "payouts": Counter(
            (*key, each.amount, each.state, each.attempts, each.finished_at) for key, each in earned.payouts.items()
        ),
    }


def _whose(line: Settled | Clawback) -> tuple[int | None, int | None]:
    """The creator who earned of a line, and the creator's agency."""
    return line.terms.earner, line.terms.mcn and line.terms.mcn[0]


def _subject(topic: str, subject: Any) -> tuple[int | None, int | None]:
    """What the outbox shows of an event: its order's or refund's number (a stray's refund has none); a book's part."""
    if topic == "settlement.paid_out":
        return None, int(subject[1])
    if topic == "orders.part_paid":
        return int(subject[1]), None
    return subject if isinstance(subject, int) else None, None


TABLES = """
    kernel.outbox, catalog.shop, catalog.category, identity.membership, ledger.account, ledger.transfer,
    inventory.stock, inventory.hold, inventory.bought, payments.payment, payments.discrepancy, payments.refund_cap,
    orders.freight_rule, orders.shop_order, orders.line, orders.deadline, orders.stray_payment,
    policy.after_sales_window, policy.campaign, policy.funding, policy.allotment, policy.burn_down, policy.buyer_cap,
    policy.turnover, policy.live_sale, policy.assessment, alliance.plan, alliance.plan_version, alliance.pool_item,
    alliance.pick, alliance.progress, alliance.creator_day, alliance.mcn_member, settlement.due,
    settlement.settled_line, settlement.clawback, settlement.sweep, settlement.swept, settlement.payout,
    settlement.payee, settlement.earning, settlement.agency_earning"""
"""What a story begins without."""

READS = {
    "stock": """
        SELECT stock.shop_id, sku_id, adjusted_quantity, sold_quantity, held_quantity, buyer_limit, in_stock
        FROM inventory.stock JOIN catalog.sku ON sku.shop_id = stock.shop_id AND sku.id = sku_id
        WHERE stock.shop_id = ANY (%(shops)s)""",
    "adjustments": """
        SELECT shop_id, id, sku_id, quantity, reason FROM inventory.adjustment
        WHERE shop_id = ANY (%(shops)s) AND person_id IS NOT NULL""",
    "holds": """
        SELECT shop_id, order_id, sku_id, quantity, expires_at FROM inventory.hold WHERE shop_id = ANY (%(shops)s)""",
    "bought": """
        SELECT shop_id, sku_id, buyer_id, quantity FROM inventory.bought
        WHERE shop_id = ANY (%(shops)s) AND quantity <> 0""",
    "orders": """
        SELECT shop_id, id, buyer_id, state, goods_fen, subsidy_fen, freight_fen, total_fen, refunded_fen,
               refunded_freight_fen, placed_at, expires_at, paid_at, payment_shop_id, payment_id, shipped_at,
               carrier, tracking_number, received_at, closed_at, cancel_reason
        FROM orders.shop_order WHERE shop_id = ANY (%(shops)s)""",
    "lines": """
        SELECT shop_id, order_id, line_no, sku_id, quantity, price_fen, limited, refunded_fen, returned_quantity
        FROM orders.line WHERE shop_id = ANY (%(shops)s)""",
    "terms": """
        SELECT shop_id, order_id, line_no, window_s, seller, fee_ppm, fee_rule_id,
               (evidence #>> '{placement,creator_id}')::bigint AS host, attribution, earner_id,
               plan_id, plan_version, creator_ppm, alliance_ppm, mcn_id, mcn_ppm, agency_id, agency_ppm,
               reserved_quantity, subsidy_fen, subsidies
        FROM orders.line WHERE shop_id = ANY (%(shops)s)""",
    "deadlines": "SELECT shop_id, order_id, due_at FROM orders.deadline WHERE shop_id = ANY (%(shops)s)",
    "refunds": """
        SELECT shop_id, id, order_id, kind, state, freight_fen, amount_fen, asked_by, asked_at, decided_at, refunded_at
        FROM orders.refund WHERE shop_id = ANY (%(shops)s)""",
    "refund lines": """
        SELECT shop_id, refund_id, line_no, quantity, amount_fen FROM orders.refund_line
        WHERE shop_id = ANY (%(shops)s)""",
    "strays": """
        SELECT shop_id, order_id, payment_shop_id, payment_id, amount_fen, reason, arrived_at, refunded_at
        FROM orders.stray_payment WHERE shop_id = ANY (%(shops)s)""",
    "accounts": """
        SELECT shop_id, kind, party_id, balance_fen FROM ledger.account
        WHERE shop_id = ANY (%(shops)s) AND balance_fen <> 0""",
    "transfers": """
        SELECT shop_id, order_id, reason, debit_kind, debit_party_id, credit_kind, credit_party_id,
               sum(amount_fen)::bigint AS amount_fen
        FROM ledger.transfer WHERE shop_id = ANY (%(shops)s) GROUP BY 1, 2, 3, 4, 5, 6, 7""",
    "payments": """
        SELECT shop_id, id, amount_fen, state, provider_ref FROM payments.payment WHERE shop_id = ANY (%(shops)s)""",
    "discrepancies": """
        SELECT shop_id, payment_id, code, provider_ref, amount_fen FROM payments.discrepancy
        WHERE shop_id = ANY (%(shops)s)""",
    "money": """
        SELECT shop_id, payment_shop_id, payment_id, amount_fen, state FROM payments.refund
        WHERE shop_id = ANY (%(shops)s)""",
    "events": """
        SELECT outbox.shop_id, topic,
               CASE topic WHEN 'orders.part_paid' THEN (payload #>> '{arrival,order_id}')::uuid
                          WHEN 'orders.refund_agreed' THEN (payload ->> 'refund_id')::uuid
                          WHEN 'payments.refunded' THEN refund.id
                          ELSE (payload ->> 'order_id')::uuid END AS subject,
               CASE topic WHEN 'settlement.paid_out' THEN (payload ->> 'amount_fen')::bigint END AS part_fen
        FROM kernel.outbox
        LEFT JOIN orders.refund ON refund.shop_id = outbox.shop_id AND refund.id = (payload ->> 'refund_id')::uuid
        WHERE outbox.shop_id = ANY (%(shops)s)""",
    "versions": """
        SELECT shop_id, product_id, plan_id, version, creator_ppm, published_at, effective_from, superseded_at
        FROM alliance.plan_version JOIN alliance.plan USING (shop_id)
        WHERE plan.id = plan_id AND shop_id = ANY (%(shops)s)""",
    "picks": """
        SELECT shop_id, product_id, creator_id FROM alliance.pick
        WHERE shop_id = ANY (%(shops)s) AND dropped_at IS NULL""",
    "allotments": """
        SELECT shop_id, campaign_id, funder_id, spent_fen FROM policy.allotment
        WHERE shop_id = ANY (%(shops)s) AND spent_fen <> 0""",
    "caps": "SELECT campaign_id, buyer_id, received_fen FROM policy.buyer_cap WHERE received_fen <> 0",
    "due": "SELECT shop_id, order_id, line_no, due_at FROM settlement.due WHERE shop_id = ANY (%(shops)s)",
    "settled": """
        SELECT shop_id, order_id, line_no, settled_at, paid_fen, escrow_fen, base_fen, service_fee_fen, creator_fen,
               alliance_fee_fen, mcn_fen, agency_fen, seller_fen, creator_id, mcn_id, returned_fen
        FROM settlement.settled_line WHERE shop_id = ANY (%(shops)s)""",
    "clawbacks": """
        SELECT shop_id, order_id, line_no, refund_id, clawed_at, returned_fen, subsidy_fen, service_fee_fen,
               creator_fen, alliance_fee_fen, mcn_fen, agency_fen, seller_fen, creator_id, mcn_id
        FROM settlement.clawback WHERE shop_id = ANY (%(shops)s)""",
    "sweeps": "SELECT shop_id, swept_at FROM settlement.sweep WHERE shop_id = ANY (%(shops)s)",
    "swept": """
        SELECT shop_id, swept.payee_kind, swept.payee_id, swept.amount_fen, swept_at, requested_at, paid_out_at
        FROM settlement.swept LEFT JOIN settlement.payout ON payout.id = payout_id
        WHERE shop_id = ANY (%(shops)s)""",
    "payouts": """
        SELECT payee_kind, payee_id, requested_at, amount_fen, state, attempts, finished_at FROM settlement.payout""",
}
STRAY_IDS = """
    SELECT shop_id, id, order_id, payment_shop_id, payment_id FROM orders.stray_payment
    WHERE shop_id = ANY (%(shops)s)"""
PAYOUT_IDS = "SELECT payee_kind, payee_id, requested_at, id FROM settlement.payout"
DRAWN = "SELECT campaign_id, shop_id, funder_id, drawn_fen FROM policy.allotment"
