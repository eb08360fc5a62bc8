"""Orders 订单: placing, paying, delivery, receipt, after-sales; one order per shop.

Invariants: a state changes only by its transition table; what was placed is frozen (prices, freight, placement, and the
terms of each line: fee, commission, subsidies, attribution); stock and subsidies are held when placed, taken when paid,
given back when cancelled; refunds never exceed what was paid, and give each funder its part back; money that arrives
pays its order or goes back in full at once; an order's transfers in its shop's book match it to the fen.
"""

from fairwind.orders.commands.delivery import ShipmentDraft, Shipping, ship
from fairwind.orders.commands.paying import deliver
from fairwind.orders.commands.placing import place
from fairwind.orders.order import Address, Line, LineDraft, LineTerms, Order, OrderDraft, Placing
from fairwind.orders.orders import Orders
from fairwind.orders.refund import GivenBack, escrow_returns
from fairwind.orders.sold import Receipt, SoldLine
from fairwind.orders.states import REFUND_TRANSITIONS, TRANSITIONS, State, diagram
from fairwind.orders.store.sold import orders_locked, orders_waiting, receipts, sold_lines
from fairwind.orders.wiring import wire

__all__ = [
    "REFUND_TRANSITIONS",
    "TRANSITIONS",
    "Address",
    "GivenBack",
    "Line",
    "LineDraft",
    "LineTerms",
    "Order",
    "OrderDraft",
    "Orders",
    "Placing",
    "Receipt",
    "ShipmentDraft",
    "Shipping",
    "SoldLine",
    "State",
    "deliver",
    "diagram",
    "escrow_returns",
    "orders_locked",
    "orders_waiting",
    "place",
    "receipts",
    "ship",
    "sold_lines",
    "wire",
]
