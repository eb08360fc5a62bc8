"""Whatever is wrong in books, stock, orders or settlement, the audit finds it and names what is broken.

A small trade with everything in it is made by the real commands and passes. Then each kind of corruption is planted,
one at a time, in a transaction that is rolled back; where a constraint would forbid it, the constraint goes first.
Other contexts' checks have files of their own beside this one; together they leave none out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
import psycopg.rows
import pytest

import fairwind
from deals import LATER, creator, ordered, picked, published, received, refunded, settled, subsidised
from fairwind.alliance import RatingDraft, Reviewing, rate
from fairwind.alliance.commands.reserves import Keeping, keep_stock
from fairwind.content import Opening, PinDraft, Pinning, Starting, open_rooms, pin, start
from fairwind.identity import NewPerson, create_people, open_sessions
from fairwind.inventory import AdjustmentDraft, set_buyer_limit
from fairwind.inventory.commands import Adjusting, adjust
from fairwind.kernel import (
    Database,
    Fen,
    LiveSessionId,
    PersonId,
    Platform,
    Settings,
    ShiftedClock,
    ShopId,
    accepted,
    uuid7,
)
from fairwind.kernel.audit import Check, Findings, audit, checks_of
from fairwind.orders import Order
from fairwind.orders.commands.after_sales import Asking, Deciding, ask_refunds, decide_refunds
from fairwind.orders.commands.delivery import (
    Cancelling,
    Receiving,
    ShipmentDraft,
    Shipping,
    cancel,
    meet_deadlines,
    receive,
    ship,
)
from fairwind.orders.commands.paying import deliver
from fairwind.orders.refund import Refund, RefundDraft, RefundLineDraft
from fairwind.orders.states import RefundAction
from fairwind.payments.commands import record_refunds
from fairwind.payments.refund import RefundTold
from fairwind.web.contexts import CONTEXTS, wire_all
from market import (
    BUYER,
    NOW,
    RECEIPT_AFTER,
    WINDOW,
    open_shop,
    paid,
    payment_for,
    placed,
    refund_id,
)

PACKAGES = ("fairwind.kernel", *(f"fairwind.{name}" for name in CONTEXTS))
SETTLING = (
    "each book's escrow",
    "each settled line",
    "whoever earned of a settled line",
    "each earner's account",
    "every line of a received order",
    "nothing settled before",
)
"""How the checks of settlement begin that are planted here."""


def planted_here(check: Check) -> bool:
    return check.context not in ("alliance", "policy", "settlement", "traffic") or check.invariant.startswith(SETTLING)


CHECKS = [check for package in PACKAGES for check in checks_of(package) if planted_here(check)]
MERCHANT = PersonId(1)


class Plant(NamedTuple):
    """A corruption: statements that make it, and words from the invariants that it breaks."""

    what: str
    breaks: Sequence[str]
    sql: Sequence[str]


# Invariants by the words that tell them apart.
BOOK, BALANCE, REASON = "each book sums to zero", "balance is the sum of its transfers", "the accounts that its reason"
ADJUSTED, HELD, OVERSOLD, SHOWN = "sum of its adjustments", "sum of its holds", "oversold", "what searches show"
TOTAL, REFUNDED, LINE_BACK = (
    "its total is goods less subsidies plus freight",
    "and of the refunds agreed to",
    "each line's refunds",
)
REFUND, TRANSFERS, ESCROW = "each refund's amount", "each order's transfers", "each book's escrow"
SOLD, HOLDS, BOUGHT = "sold stock is", "every placed order holds", "what counts towards buyer limits"
STATE, REFUND_STATE, WAITING = "every order's state", "every refund's state", "a refund that waits"
DEADLINE, PAYMENT, ARRIVED = "has a deadline", "every paid order was paid", "money that arrived"
BACK, SENT = "every refund agreed to and every stray", "money has left the book"
FUNDED, PUT_IN, SPENT = "each line's subsidy", "each funder has put in", "allotments have spent"
KEPT, IN_FORCE = "what was sold of kept stock", "each line's frozen alliance fee and MCN share"
RATED = "each rating is of its buyer's own line"
COMMISSION, FEE, STICKS = "each line's frozen commission", "each line's frozen fee", "what sticks of the lines"
SHARED, LEFT, CLAWED = "was shared by its frozen terms", "held what had been paid", "has given back its part"
EARNED, DUE, TOO_SOON = "each earner's account", "every line of a received order", "nothing settled before"
PARTS, HOME, ASKED, CAP = "parts sum to", "lowest shop of its parts", "asked back of a part", "refunds come only from"

KIND = "shop_id = %(shop)s AND kind ="
ORDER = "shop_id = %(shop)s AND id = %(order)s"
LINE = "shop_id = %(shop)s AND order_id = %(order)s"
SOLD_ON = "shop_id = %(terms_shop)s AND order_id = %(order)s"
"""Lines of the shop that sells on terms."""
PART = "SET subsidies = jsonb_set(subsidies, '{0,amount_fen}', to_jsonb((subsidies #>> '{0,amount_fen}')::bigint + 1))"


def of(which: str, sql: str) -> str:
    """sql with the order that is called so in the trade."""
    return sql.replace("%(order)s", f"%({which})s")


PLANTS = [
    # The ledger.
    Plant(
        "a fen too many in an account",
        [BOOK, BALANCE, ESCROW],
        [f"UPDATE ledger.account SET balance_fen = balance_fen + 1 WHERE {KIND} 'escrow'"],
    ),
    Plant(
        "a fen moved between accounts without a transfer",
        [BALANCE],
        [
            f"UPDATE ledger.account SET balance_fen = balance_fen - 1 WHERE {KIND} 'provider'",
            f"UPDATE ledger.account SET balance_fen = balance_fen + 1 WHERE {KIND} 'buyer_refund'",
        ],
    ),
    Plant(
        "an account that is gone",
        [BOOK, BALANCE, ESCROW],
        [f"DELETE FROM ledger.account WHERE {KIND} 'escrow'"],
    ),
    Plant(
        "a transfer that is gone",
        [BALANCE, TRANSFERS],
        [of("paid", f"DELETE FROM ledger.transfer WHERE {LINE}")],
    ),
    Plant(
        "a transfer a fen too small",
        [BALANCE, TRANSFERS],
        [of("paid", f"UPDATE ledger.transfer SET amount_fen = amount_fen - 1 WHERE {LINE}")],
    ),
    Plant(
        "a transfer and its balances made twice",
        [TRANSFERS, ESCROW],
        [
            of(
                "paid",
                "INSERT INTO ledger.transfer SELECT shop_id, gen_random_uuid(), debit_kind, debit_party_id,"
                " credit_kind, credit_party_id, amount_fen, reason, order_id, made_at FROM ledger.transfer"
                f" WHERE {LINE}",
            ),
            f"UPDATE ledger.account SET balance_fen = balance_fen - 9900 WHERE {KIND} 'provider'",
            f"UPDATE ledger.account SET balance_fen = balance_fen + 9900 WHERE {KIND} 'escrow'",
        ],
    ),
    Plant(
        "a transfer of another order",
        [TRANSFERS],
        [of("paid", f"UPDATE ledger.transfer SET order_id = %(shipped)s WHERE {LINE}")],
    ),
    Plant(
        "money paid out under the name of a refund",
        [REASON],
        [
            "INSERT INTO ledger.transfer VALUES (%(shop)s, gen_random_uuid(), 'buyer_refund', 0, 'provider', 0, 5,"
            " 'gift', %(paid)s, now())",
            f"UPDATE ledger.account SET balance_fen = balance_fen - 5 WHERE {KIND} 'buyer_refund'",
            f"UPDATE ledger.account SET balance_fen = balance_fen + 5 WHERE {KIND} 'provider'",
        ],
    ),
    # The inventory.
    Plant(
        "one more in stock than came",
        [ADJUSTED],
        ["UPDATE inventory.stock SET adjusted_quantity = adjusted_quantity + 1 WHERE sku_id = %(sku)s"],
    ),
    Plant(
        "an adjustment that is gone",
        [ADJUSTED],
        ["DELETE FROM inventory.adjustment WHERE sku_id = %(sku)s AND person_id IS NOT NULL"],
    ),
    Plant(
        "one more sold than orders sold",
        [SOLD],
        ["UPDATE inventory.stock SET sold_quantity = sold_quantity + 1 WHERE sku_id = %(sku)s"],
    ),
    Plant(
        "one more held than holds hold",
        [HELD],
        ["UPDATE inventory.stock SET held_quantity = held_quantity + 1 WHERE sku_id = %(sku)s"],
    ),
    Plant(
        "a hold that is lost",
        [HELD, HOLDS],
        [of("placed", f"DELETE FROM inventory.hold WHERE {LINE}")],
    ),
    Plant(
        "a hold of an order that is over",
        [HELD, HOLDS],
        ["INSERT INTO inventory.hold VALUES (%(shop)s, %(cancelled)s, %(sku)s, 1, now())"],
    ),
    Plant(
        "a hold that outlasts its order",
        [HOLDS],
        [of("placed", f"UPDATE inventory.hold SET expires_at = expires_at + interval '1 hour' WHERE {LINE}")],
    ),
    Plant(
        "stock that is oversold",
        [OVERSOLD, SOLD, SHOWN],
        [
            "ALTER TABLE inventory.stock DROP CONSTRAINT stock_not_oversold",
            "UPDATE inventory.stock SET sold_quantity = adjusted_quantity + 1 WHERE sku_id = %(sku)s",
        ],
    ),
    Plant(
        "goods that searches show and nobody can have",
        [SHOWN],
        ["UPDATE catalog.sku SET in_stock = NOT in_stock WHERE id = %(sku)s"],
    ),
    Plant(
        "a buyer who is counted as having one less",
        [BOUGHT],
        ["UPDATE inventory.bought SET quantity = quantity - 1 WHERE quantity > 0"],
    ),
    Plant("a buyer who is forgotten", [BOUGHT], ["DELETE FROM inventory.bought"]),
    # Orders.
    Plant(
        "a line a fen too dear",
        [TOTAL],
        [
            "ALTER TABLE orders.line DROP CONSTRAINT line_goods",
            of("placed", f"UPDATE orders.line SET goods_fen = goods_fen + 1 WHERE {LINE}"),
        ],
    ),
    Plant(
        "a line whose price is not what its goods cost",
        [TOTAL],
        [
            "ALTER TABLE orders.line DROP CONSTRAINT line_goods",
            of("placed", f"UPDATE orders.line SET price_fen = price_fen + 1 WHERE {LINE}"),
        ],
    ),
    Plant(
        "a line that is lost",
        [TOTAL, HOLDS],
        [of("placed", f"DELETE FROM orders.line WHERE {LINE}")],
    ),
    Plant(
        "a total that is not goods plus freight",
        [TOTAL],
        [
            "ALTER TABLE orders.shop_order DROP CONSTRAINT order_total",
            of("placed", f"UPDATE orders.shop_order SET total_fen = total_fen + 1 WHERE {ORDER}"),
        ],
    ),
    Plant(
        "a refund beyond what was paid",
        [REFUNDED, REFUND, TRANSFERS, BACK],
        [
            "ALTER TABLE orders.shop_order DROP CONSTRAINT order_refunds",
            of("part_refunded", f"UPDATE orders.shop_order SET refunded_fen = total_fen + 1 WHERE {ORDER}"),
            of("part_refunded", f"UPDATE orders.refund SET amount_fen = amount_fen + 9999 WHERE {LINE}"),
        ],
    ),
    Plant(
        "an order that says it gave a fen more back",
        [REFUNDED, TRANSFERS],
        [of("part_refunded", f"UPDATE orders.shop_order SET refunded_fen = refunded_fen + 1 WHERE {ORDER}")],
    ),
    Plant(
        "a line that says it gave a fen more back",
        [REFUNDED, LINE_BACK, ESCROW],
        [of("part_refunded", f"UPDATE orders.line SET refunded_fen = refunded_fen + 1 WHERE {LINE}")],
    ),
    Plant(
        "goods that came back on one line and are counted on another",
        [LINE_BACK],
        [
            of("two_lines", f"UPDATE orders.line SET returned_quantity = 0 WHERE {LINE} AND line_no = 1"),
            of("two_lines", f"UPDATE orders.line SET returned_quantity = 1 WHERE {LINE} AND line_no = 2"),
        ],
    ),
    Plant(
        "goods that came back and are still counted as sold",
        [LINE_BACK, SOLD],
        [of("two_lines", f"UPDATE orders.line SET returned_quantity = 0 WHERE {LINE} AND line_no = 1")],
    ),
    Plant(
        "a refund whose lines do not add up",
        [LINE_BACK, REFUND],
        [
            "UPDATE orders.refund_line SET amount_fen = amount_fen + 1 WHERE refund_id ="
            " (SELECT id FROM orders.refund WHERE order_id = %(part_refunded)s)",
        ],
    ),
    Plant(
        "a refund that was never asked of the provider",
        [ASKED, BACK],
        ["DELETE FROM payments.refund WHERE order_id = %(part_refunded)s"],
    ),
    Plant(
        "money asked of the provider for no refund",
        [BACK, ASKED],
        [
            "INSERT INTO payments.refund SELECT shop_id, gen_random_uuid(), payment_shop_id, payment_id, order_id, 1,"
            " provider, state, reason, attempts, next_try_at, requested_at, finished_at FROM payments.refund"
            " WHERE order_id = %(part_refunded)s",
        ],
    ),
    Plant(
        "a refund that went back and still stands in the book",
        [SENT],
        [
            "UPDATE payments.refund SET state = 'succeeded', next_try_at = NULL, finished_at = now()"
            " WHERE order_id = %(part_refunded)s",
        ],
    ),
    Plant(
        "a refund that left the book and never went back",
        [SENT],
        [
            "UPDATE payments.refund SET state = 'pending', next_try_at = now(), finished_at = NULL"
            " WHERE order_id = %(refunded)s",
        ],
    ),
    Plant(
        "a stray that was never sent back",
        [TRANSFERS, SENT],
        ["UPDATE orders.stray_payment SET refunded_at = now() WHERE order_id = %(paid_twice)s"],
    ),
    Plant(
        "a stray that is forgotten",
        [TRANSFERS, ARRIVED, BACK],
        ["DELETE FROM orders.stray_payment WHERE order_id = %(paid_twice)s"],
    ),
    Plant(
        "a refund decided without a time",
        [REFUND_STATE],
        ["UPDATE orders.refund SET decided_at = NULL WHERE order_id = %(part_refunded)s"],
    ),
    Plant(
        "a refund sent before it was decided",
        [REFUND_STATE],
        [
            "UPDATE orders.refund SET refunded_at = decided_at - interval '1 day' WHERE order_id = %(refunded)s",
        ],
    ),
    Plant(
        "a refund that waits on an order that is over",
        [WAITING, STATE],
        [
            "ALTER TABLE orders.shop_order DROP CONSTRAINT order_refunded",
            of("waiting", f"UPDATE orders.shop_order SET state = 'refunded', closed_at = now() WHERE {ORDER}"),
        ],
    ),
    Plant(
        "two refunds that wait at once",
        [WAITING],
        [
            "INSERT INTO orders.refund SELECT shop_id, gen_random_uuid(), content_hash, order_id, kind, state,"
            " amount_fen, amount_fen, reason, answer, asked_by, asked_at FROM orders.refund"
            " WHERE order_id = %(waiting)s",
        ],
    ),
    Plant(
        "a deadline that is lost",
        [DEADLINE],
        [of("shipped", f"DELETE FROM orders.deadline WHERE {LINE}")],
    ),
    Plant(
        "a paid order without money",
        [TRANSFERS, ESCROW, SOLD, HOLDS, PAYMENT],
        [
            of(
                "placed",
                "UPDATE orders.shop_order SET state = 'paid', paid_at = now(), payment_shop_id = shop_id,"
                f" payment_id = gen_random_uuid() WHERE {ORDER}",
            )
        ],
    ),
    Plant(
        "an order paid with another order's money",
        [PAYMENT, ARRIVED],
        [
            of(
                "paid",
                "UPDATE orders.shop_order SET payment_id = (SELECT payment_id FROM orders.shop_order WHERE"
                f" id = %(shipped)s) WHERE {ORDER}",
            ),
        ],
    ),
    Plant(
        "a paid order whose payment was closed",
        [PAYMENT],
        ["UPDATE payments.payment SET state = 'closed', paid_at = NULL, provider_ref = NULL WHERE id = %(payment)s"],
    ),
    Plant(
        "a paid order whose money came for less",
        [PARTS, PAYMENT],
        ["UPDATE payments.part SET amount_fen = amount_fen - 1 WHERE payment_id = %(payment)s"],
    ),
    Plant(
        "money that came and paid nothing",
        [ARRIVED],
        ["DELETE FROM kernel.outbox WHERE topic = 'orders.part_paid'"],
    ),
    Plant(
        "an order shipped that nobody paid for",
        [STATE, DEADLINE, HOLDS],
        [
            "ALTER TABLE orders.shop_order DROP CONSTRAINT order_paid",
            of("placed", f"UPDATE orders.shop_order SET state = 'shipped', shipped_at = now() WHERE {ORDER}"),
        ],
    ),
    Plant(
        "an order received that never left",
        [STATE],
        [
            "ALTER TABLE orders.shop_order DROP CONSTRAINT order_shipped",
            of("received", f"UPDATE orders.shop_order SET shipped_at = NULL WHERE {ORDER}"),
        ],
    ),
    Plant(
        "an order received before it was shipped",
        [STATE],
        [of("received", f"UPDATE orders.shop_order SET received_at = shipped_at - interval '1 day' WHERE {ORDER}")],
    ),
    Plant(
        "an order refunded whole that goes on",
        [STATE],
        [
            "ALTER TABLE orders.shop_order DROP CONSTRAINT order_refunded",
            of("refunded", f"UPDATE orders.shop_order SET state = 'paid' WHERE {ORDER}"),
        ],
    ),
    Plant(
        "an order that is over and has no end",
        [STATE],
        [of("cancelled", f"UPDATE orders.shop_order SET closed_at = NULL WHERE {ORDER}")],
    ),
    # Terms.
    Plant(
        "a funder's part of a line that is a fen too large",
        [FUNDED, SPENT],
        [of("granted", f"UPDATE orders.line {PART} WHERE {SOLD_ON}")],
    ),
    Plant(
        "a subsidy that nobody gives",
        [FUNDED, SPENT],
        [
            "ALTER TABLE orders.line DROP CONSTRAINT line_subsidy",
            of("granted", f"UPDATE orders.line SET subsidies = NULL WHERE {SOLD_ON}"),
        ],
    ),
    Plant(
        "a subsidy that its funder never put in",
        [BALANCE, PUT_IN],
        [of("due", f"DELETE FROM ledger.transfer WHERE {SOLD_ON} AND reason = 'subsidised' AND debit_party_id = 0")],
    ),
    Plant(
        "a funder who got back too little",
        [BALANCE, PUT_IN],
        [
            of(
                "clawed",
                "UPDATE ledger.transfer SET amount_fen = amount_fen - 1"
                f" WHERE {SOLD_ON} AND reason = 'subsidy_returned' AND credit_party_id = 0",
            )
        ],
    ),
    Plant(
        "an allotment that has spent a fen less than orders were granted",
        [SPENT],
        ["UPDATE policy.allotment SET spent_fen = spent_fen - 1 WHERE shop_id = %(terms_shop)s AND funder_id = 0"],
    ),
    Plant(
        "a commission that no version promised",
        [COMMISSION],
        [of("granted", f"UPDATE orders.line SET creator_ppm = creator_ppm + 1 WHERE {SOLD_ON}")],
    ),
    Plant(
        "a commission of a version that was not in force yet",
        [COMMISSION],
        [of("granted", f"UPDATE orders.line SET plan_version = plan_version + 1 WHERE {SOLD_ON}")],
    ),
    Plant(
        "a plan that began after the order was placed",
        [COMMISSION],
        ["UPDATE alliance.plan_version SET effective_from = effective_from + interval '1 day'"],
    ),
    Plant(
        "a refund that a creator's progress knows nothing of",
        [STICKS],
        ["UPDATE alliance.progress SET gmv_fen = gmv_fen + 3333 WHERE shop_id = %(terms_shop)s"],
    ),
    Plant(
        "a sale that was never counted",
        [STICKS],
        ["DELETE FROM alliance.progress WHERE shop_id = %(terms_shop)s"],
    ),
    Plant(
        "a fee that its rule does not ask for",
        [FEE],
        [of("granted", f"UPDATE orders.line SET fee_ppm = fee_ppm + 1 WHERE {SOLD_ON}")],
    ),
    Plant(
        "a fee by a rule that there is not",
        [FEE],
        [of("granted", f"UPDATE orders.line SET fee_rule_id = -1 WHERE {SOLD_ON}")],
    ),
    Plant(
        "a fee by a programme that was not in force yet",
        [FEE],
        ["UPDATE policy.programme SET starts_at = now() + interval '1 year'"],
    ),
    Plant(
        "a fee by a schedule that was not in force yet",
        [FEE],
        [
            of("granted", f"UPDATE orders.line SET fee_rule_id = 1, fee_ppm = 10000 WHERE {SOLD_ON}"),
            "UPDATE policy.fee_rule SET rate_ppm = 10000 WHERE id = 1",
            "UPDATE policy.schedule SET starts_at = now() + interval '1 year'",
        ],
    ),
    Plant(
        "an alliance fee that nobody set",
        [IN_FORCE],
        [of("granted", f"UPDATE orders.line SET alliance_ppm = alliance_ppm + 1 WHERE {SOLD_ON}")],
    ),
    Plant(
        "an alliance fee that was set after the order was placed",
        [IN_FORCE],
        ["UPDATE alliance.fee SET effective_from = now()"],
    ),
    Plant(
        "an MCN's share that its creator never agreed to",
        [IN_FORCE],
        [of("granted", f"UPDATE orders.line SET mcn_ppm = mcn_ppm + 1 WHERE {SOLD_ON}")],
    ),
    Plant(
        "an MCN that was left out",
        [IN_FORCE],
        [of("granted", f"UPDATE orders.line SET mcn_id = NULL, mcn_ppm = NULL WHERE {SOLD_ON}")],
    ),
    Plant(
        "a creator who had left the MCN that still earns",
        [IN_FORCE],
        ["UPDATE alliance.mcn_member SET ends_at = starts_at + interval '1 hour'"],
    ),
    Plant(
        "kept stock that was sold and is kept still",
        [KEPT],
        ["UPDATE alliance.reserve SET sold_quantity = sold_quantity - 1 WHERE shop_id = %(terms_shop)s"],
    ),
    Plant(
        "a rating by somebody who bought nothing",
        [RATED],
        ["UPDATE alliance.rating SET buyer_id = -1 WHERE order_id = %(received)s"],
    ),
    Plant(
        "a rating of goods that never came",
        [RATED],
        ["UPDATE alliance.rating SET order_id = %(shipped)s WHERE order_id = %(received)s"],
    ),
    # Settlement.
    Plant(
        "a fen that the fee has and the seller should",
        [SHARED, EARNED],
        [
            of(
                "settled",
                "UPDATE settlement.settled_line SET service_fee_fen = service_fee_fen + 1, seller_fen = seller_fen - 1"
                f" WHERE {SOLD_ON} AND line_no = 1",
            )
        ],
    ),
    Plant(
        "freight of which somebody earned",
        [SHARED, EARNED],
        [
            of(
                "settled",
                "UPDATE settlement.settled_line SET service_fee_fen = 1, seller_fen = seller_fen - 1"
                f" WHERE {SOLD_ON} AND line_no = 0",
            )
        ],
    ),
    Plant(
        "a line that settled for another creator",
        [SHARED, EARNED],
        [
            of("settled", f"UPDATE settlement.settled_line SET creator_id = -1 WHERE {SOLD_ON} AND line_no = 1"),
        ],
    ),
    Plant(
        "a line that settled without terms",
        [SHARED, COMMISSION],
        [of("settled", f"UPDATE orders.line SET creator_ppm = creator_ppm - 1000 WHERE {SOLD_ON}")],
    ),
    Plant(
        "a line that settled a fen more than it held",
        [LEFT, EARNED],
        [
            of(
                "settled",
                "UPDATE settlement.settled_line SET escrow_fen = escrow_fen + 1, seller_fen = seller_fen + 1"
                f" WHERE {SOLD_ON} AND line_no = 0",
            )
        ],
    ),
    Plant(
        "a line whose base left a fen out",
        [LEFT, SHARED],
        [
            of(
                "settled",
                f"UPDATE settlement.settled_line SET base_fen = base_fen - 1 WHERE {SOLD_ON} AND line_no = 1",
            )
        ],
    ),
    Plant(
        "a settled line of an order that there is not",
        [LEFT, SHARED, ESCROW, DUE],
        [
            of(
                "settled",
                f"UPDATE settlement.settled_line SET order_id = gen_random_uuid() WHERE {SOLD_ON} AND line_no = 1",
            )
        ],
    ),
    Plant(
        "a line that settled before its part refund",
        [LEFT, CLAWED],
        [
            of(
                "clawed",
                f"UPDATE settlement.settled_line SET returned_fen = returned_fen - 1 WHERE {SOLD_ON} AND line_no = 1",
            )
        ],
    ),
    Plant(
        "a creator who gave back a fen too little",
        [CLAWED, EARNED],
        [
            of(
                "clawed",
                "UPDATE settlement.clawback SET creator_fen = creator_fen - 1, seller_fen = seller_fen + 1"
                f" WHERE {SOLD_ON} AND line_no = 1",
            )
        ],
    ),
    Plant(
        "what was taken back and is forgotten",
        [CLAWED, EARNED],
        [of("clawed", f"DELETE FROM settlement.clawback WHERE {SOLD_ON}")],
    ),
    Plant(
        "a share that was posted to another's account",
        [BALANCE, EARNED],
        [
            of(
                "settled",
                f"UPDATE ledger.transfer SET credit_party_id = -1 WHERE {SOLD_ON} AND credit_kind = 'creator'",
            )
        ],
    ),
    Plant(
        "a line that will never settle",
        [DUE],
        [of("due", f"DELETE FROM settlement.due WHERE {SOLD_ON} AND line_no = 1")],
    ),
    Plant(
        "a line that would settle twice",
        [DUE],
        [
            "INSERT INTO settlement.due (shop_id, order_id, line_no, due_at)"
            " VALUES (%(terms_shop)s, %(settled)s, 1, now())",
        ],
    ),
    Plant(
        "a line that settled a moment too soon",
        [TOO_SOON],
        [
            of(
                "settled",
                "UPDATE settlement.settled_line SET settled_at = settled_at - interval '1 second'"
                f" WHERE {SOLD_ON} AND line_no = 1",
            )
        ],
    ),
    Plant(
        "a freight that settled before goods could no longer come back",
        [TOO_SOON],
        [
            of(
                "settled",
                "UPDATE settlement.settled_line SET settled_at = settled_at - interval '1 second'"
                f" WHERE {SOLD_ON} AND line_no = 0",
            )
        ],
    ),
    # Payments.
    Plant(
        "a payment that is more than its parts",
        [PARTS],
        ["UPDATE payments.payment SET amount_fen = amount_fen + 1 WHERE id = %(payment)s"],
    ),
    Plant(
        "a payment that lives in the wrong shop",
        [HOME],
        [
            "ALTER TABLE payments.part DROP CONSTRAINT part_of_payment",
            "UPDATE payments.part SET shop_id = shop_id - 1 WHERE payment_id = %(payment)s",
            "UPDATE payments.payment SET shop_id = shop_id - 1 WHERE id = %(payment)s",
            "UPDATE orders.shop_order SET payment_shop_id = payment_shop_id - 1 WHERE payment_id = %(payment)s",
        ],
    ),
    Plant(
        "more counted as asked back than was",
        [ASKED],
        ["UPDATE payments.refund_cap SET asked_fen = asked_fen + 1 WHERE order_id = %(part_refunded)s"],
    ),
    Plant(
        "a bound for refunds above what came",
        [CAP],
        ["UPDATE payments.refund_cap SET part_fen = part_fen + 1 WHERE order_id = %(part_refunded)s"],
    ),
    # The catalog.
    Plant(
        "a product that seems cheaper than it is",
        ["a product's lowest price"],
        ["UPDATE catalog.product SET price_fen = price_fen - 1 WHERE shop_id = %(shop)s"],
    ),
    Plant(
        "a price that no history knows",
        ["the last of its history"],
        [
            "UPDATE catalog.sku SET list_price_fen = list_price_fen + 1 WHERE id = %(sku)s",
        ],
    ),
    Plant(
        "a price that is missing from the history",
        ["no price is missing"],
        [
            "INSERT INTO catalog.price_change SELECT shop_id, sku_id, 3, price_fen, list_price_fen, changed_at"
            " FROM catalog.price_change WHERE sku_id = %(sku)s",
            "UPDATE catalog.sku SET price_revision = 3 WHERE id = %(sku)s",
        ],
    ),
    Plant(
        "a product that no search finds",
        ["can be found by its words"],
        ["DELETE FROM catalog.wording WHERE shop_id = %(shop)s"],
    ),
    # Identity.
    Plant(
        "a login that two people have",
        ["A login belongs to one person"],
        [
            "INSERT INTO identity.person SELECT -id, upper(login), 'other ' || id, name, password_hash, created_at"
            " FROM identity.person",
        ],
    ),
    Plant(
        "a session that was used before it began",
        ["A session that was used"],
        [
            "ALTER TABLE identity.session DROP CONSTRAINT session_check",
            "UPDATE identity.session SET seen_at = created_at - interval '1 hour'",
        ],
    ),
    # Content.
    Plant(
        "a room whose host is nobody",
        ["host is a person", "held by the host"],
        ["UPDATE content.room SET host_id = -1"],
    ),
    Plant(
        "a live session of a stranger",
        ["held by the host"],
        ["UPDATE content.live_session SET host_id = host_id + 1"],
    ),
    Plant(
        "a pin of goods that are not there", ["each pin names a product"], ["UPDATE content.pin SET product_id = -1"]
    ),
    Plant(
        "goods pinned before the session began",
        ["nothing was pinned before"],
        ["UPDATE content.pin SET pinned_at = pinned_at - interval '1 day'"],
    ),
    # The kernel.
    Plant(
        "an event that nobody could take", ["before it had to be parked"], ["UPDATE kernel.outbox SET parked = true"]
    ),
    Plant(
        "an event that waits for days",
        ["more than a day"],
        ["UPDATE kernel.outbox SET created_at = now() - interval '2 days'"],
    ),
    Plant(
        "a version of the tables that was left out",
        ["without a gap"],
        ["UPDATE kernel.schema_version SET version = version + 6 WHERE context = 'orders'"],
    ),
]


_FREIGHT = "INSERT INTO orders.freight_rule VALUES (%s, 800, NULL, '{}')"
_MCN = (
    "INSERT INTO alliance.mcn_member (id, agency_id, creator_id, split_ppm, invited_at, accepted_at, starts_at)"
    " VALUES (1, 900, %s, 300000, %s, %s, %s + interval '1 day')"
)


class Trade:
    """A trade with an order for every state there is."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.names: dict[str, Any] = {}

    async def make(self, database: Database) -> None:
        shop, other = await open_shop(database, 50, 9), await open_shop(database, 9)
        limited = shop.sku_ids[1]
        self.names |= {"shop": shop.id, "sku": shop.sku_ids[0]}
        await database.run(lambda tx: set_buyer_limit(tx, shop.id, limited, 5))
        loss = Adjusting(shop.sku_ids[0], AdjustmentDraft(uuid7(NOW), -2, "损耗"), MERCHANT)
        await database.run(lambda tx: adjust(tx, shop.id, [loss], NOW))

        async def order(name: str, *wanted: tuple[Any, int]) -> Order:
            made = await placed(database, shop, *(wanted or [(shop.sku_ids[0], 1)]))
            self.names[name] = made.id
            return made

        async def shipped(name: str, *wanted: tuple[Any, int]) -> Order:
            made = await order(name, *wanted)
            await paid(database, made)
            items = [Shipping(made.id, ShipmentDraft("顺丰速运", "SF1000"))]
            [sent] = await database.run(lambda tx: ship(tx, shop.id, items, NOW, RECEIPT_AFTER))
            return accepted(sent)

        async def refund(order: Order, draft: RefundDraft, *, by_shop: bool = False) -> Refund:
            person = MERCHANT if by_shop else BUYER
            items = [Asking(order.id, draft, person, None if by_shop else BUYER)]
            [asked] = await database.run(lambda tx: ask_refunds(tx, shop.id, items, NOW, WINDOW))
            return accepted(asked)

        await order("placed")
        await order("placed_limited", (limited, 2))
        for name, buyer in (("cancelled", BUYER), ("timed_out", None)):
            gone = [Cancelling((await order(name)).id, buyer)]
            await database.run(lambda tx, gone=gone: cancel(tx, shop.id, gone, NOW))
        self.names["payment"] = await paid(database, await order("paid"))
        twice = await order("paid_twice", (limited, 1))
        notices = [await payment_for(database, twice) for _ in range(2)]
        await database.run(lambda tx: deliver(tx, shop.id, notices, NOW))

        await shipped("shipped")
        for name in ("received", "completed"):
            arrived = [Receiving((await shipped(name)).id, BUYER)]
            await database.run(lambda tx, arrived=arrived: receive(tx, shop.id, arrived, NOW, WINDOW))
        words = Reviewing(self.names["received"], 1, shop.product_ids[0], BUYER, RatingDraft(5, "料子很厚实"))
        await database.run(lambda tx: rate(tx, shop.id, [words], NOW))
        over = NOW + WINDOW
        await database.run(lambda tx: meet_deadlines(tx, shop.id, [self.names["completed"]], over, WINDOW))

        await refund(await shipped("waiting"), RefundDraft(refund_id(), "return", "不想要了"))
        part = RefundDraft(refund_id(), "refund_only", "补偿", (RefundLineDraft(1, Fen(100)),))
        await refund(await shipped("part_refunded"), part, by_shop=True)
        one_of_two = RefundDraft(refund_id(), "return", "坏了一把", (RefundLineDraft(1, Fen(9900), 1),))
        back = await refund(await shipped("two_lines", *[(shop.sku_ids[0], 1)] * 2), one_of_two)
        for action in (RefundAction.AGREE, RefundAction.TAKE_BACK):
            decision = [Deciding(back.id, action, "", None)]
            await database.run(lambda tx, decision=decision: decide_refunds(tx, shop.id, decision, NOW, WINDOW))
        whole = await order("refunded")
        await paid(database, whole)
        done = await refund(whole, RefundDraft(refund_id(), "refund_only", "不想要了"))
        await database.run(lambda tx: record_refunds(tx, shop.id, [RefundTold(done.id, 0, "succeeded")], NOW))

        await self._sell_on_terms(database)

        # Paid together with an order of another shop; and once more, with the second part still on its way.
        both = [[await order(name), await placed(database, other)] for name in ("together", "travelling")]
        first, second = [await payment_for(database, *pair) for pair in both]
        await database.run(lambda tx: deliver(tx, shop.id, [first], NOW))
        platform = Platform(database, ShiftedClock(), Settings())
        wire_all(platform)
        await platform.relay.drain()
        await platform.relay.drain()
        await database.run(lambda tx: deliver(tx, shop.id, [second], platform.clock.now()))
        await self._show(database, shop.id)

    async def _sell_on_terms(self, database: Database) -> None:
        """Goods that are shown and subsidised: orders that settled, one given back in part since, and that wait."""
        shop, host = await open_shop(database, 50), await creator(database)
        self.names["terms_shop"] = shop.id
        await database.run(lambda tx: tx.execute(_FREIGHT, (shop.id,)))
        await database.run(lambda tx: tx.execute(_MCN, (host, *[NOW - timedelta(days=9)] * 3)))
        await published(database, shop, 200_000)
        await picked(database, shop, host)
        await subsidised(database, shop, 900)
        await database.run(lambda tx: keep_stock(tx, shop.id, [Keeping(shop.sku_ids[0], 10)], NOW))

        async def sold(name: str) -> Order:
            order = await ordered(database, shop, by=host)
            self.names[name] = order.id
            return order

        await sold("granted")
        await received(database, await sold("settled"))
        clawed = await received(database, await sold("clawed"))
        assert await settled(database, shop.id, LATER + WINDOW) == 4
        await refunded(database, clawed, (1, 3333), now=LATER + WINDOW)
        await received(database, await sold("due"))

    async def _show(self, database: Database, shop_id: ShopId) -> None:
        """A host is live with the shop's goods."""
        draft = NewPerson("host", "小林", "-", frozenset())
        [host] = await database.run(lambda tx: create_people(tx, [draft], NOW))
        host_id, session_id = accepted(host).id, LiveSessionId(uuid7(NOW))
        async with database.transaction() as tx:
            await open_sessions(tx, [host_id], NOW, timedelta(days=14))
            await open_rooms(tx, [Opening(host_id, "乘风直播间")], NOW)
            await start(tx, [Starting(session_id, host_id, "618")], NOW)
            goods = await tx.row("SELECT id FROM catalog.product WHERE shop_id = %s", (shop_id,))
            assert goods is not None
            [shown] = await pin(tx, [Pinning(session_id, host_id, shop_id, goods.id, PinDraft())], NOW)
            accepted(shown)


@pytest.fixture(scope="module")
def trade(module_database_url: str) -> Trade:
    trade = Trade(module_database_url)

    async def make() -> None:
        async with Database(module_database_url) as database:
            await trade.make(database)

    asyncio.run(make())
    return trade


@pytest.fixture
def books(trade: Trade) -> Iterator[psycopg.Connection[Any]]:
    """The trade's database; what is done to it is undone."""
    with psycopg.connect(trade.url, row_factory=psycopg.rows.dict_row) as connection:
        yield connection
        connection.rollback()


def broken(books: psycopg.Connection[Any]) -> list[str]:
    """The invariants that the checks find broken now."""
    return [check.invariant for check in CHECKS if books.execute(check.sql).fetchone()]  # type: ignore[arg-type]


def invariant(words: str) -> str:
    """The one invariant with these words."""
    [check] = [check for check in CHECKS if words in check.invariant]
    return check.invariant


def test_a_sound_trade_passes_every_check_and_each_has_something_to_look_at(trade: Trade) -> None:
    async def run() -> Findings:
        async with Database(trade.url) as database:
            return await audit(database, PACKAGES)

    findings, here = asyncio.run(run()).findings, {check.invariant for check in CHECKS}
    assert [finding.rows for finding in findings if finding.offending] == []
    assert [each.invariant for each in findings if each.invariant in here and not each.examined] == []


@pytest.mark.parametrize("plant", PLANTS, ids=lambda plant: plant.what)
def test_what_is_wrong_is_found_and_named(trade: Trade, books: psycopg.Connection[Any], plant: Plant) -> None:
    for sql in plant.sql:
        statement = books.execute(sql, trade.names)  # type: ignore[arg-type]
        assert sql.startswith("ALTER") or statement.rowcount > 0, "the corruption meets nothing"
    found, due = set(broken(books)), set(map(invariant, plant.breaks))
    assert (found - due, due - found) == (set(), set())


def planted(module: Any) -> set[str]:
    """The invariants that a test file like this one plants faults against, however it names them."""
    words = {words for plant in module.PLANTS for words in plant.breaks}
    if hasattr(module, "invariant"):
        return set(map(module.invariant, words))
    return {module.CHECKS[name].invariant for name in words} if isinstance(module.CHECKS, dict) else words


def test_every_check_there_is_was_seen_to_find_something() -> None:
    """Here or in a file beside: a new check without a fault that it finds fails this."""
    files = [file for file in Path(__file__).parent.glob("test_audit_*.py") if file != Path(__file__)]
    found = {invariant(words) for plant in PLANTS for words in plant.breaks}
    found |= {each for file in files for each in planted(import_module(file.stem))}
    checks = [check for file in Path(fairwind.__file__).parent.glob("*/audit.sql") for check in of_file(file)]
    assert checks
    assert [check.invariant for check in checks if check.invariant not in found] == []


def of_file(file: Path) -> list[Check]:
    return checks_of(f"fairwind.{file.parent.name}")


def test_the_audit_as_it_runs_tells_where_the_fen_is_missing(trade: Trade) -> None:
    change = "UPDATE ledger.account SET balance_fen = balance_fen + %s WHERE shop_id = %s AND kind = 'escrow'"

    async def run() -> Findings:
        async with Database(trade.url) as database:
            await database.run(lambda tx: tx.execute(change, (-1, trade.names["shop"])))
            try:
                return await audit(database, ["fairwind.ledger"])
            finally:
                await database.run(lambda tx: tx.execute(change, (1, trade.names["shop"])))

    book, balance, _ = asyncio.run(run()).findings
    assert list(book.rows) == [{"shop_id": trade.names["shop"], "sum_fen": -1}]
    [row] = balance.rows
    assert (row["kind"], row["balance_fen"] - row["transfers_fen"]) == ("escrow", -1)
