"""Orders 订单: placing, paying, delivery, receipt, after-sales; one order per shop.

Invariants: a state changes only by its transition table; what was placed is frozen (prices, freight, placement); stock
is held when placed, taken when paid, given back when cancelled; refunds never exceed what was paid; money that arrives
pays its order or goes back in full at once; an order's transfers in its shop's book match it to the fen.
"""

from fairwind.orders.commands.delivery import ShipmentDraft, Shipping, ship
from fairwind.orders.commands.paying import deliver
from fairwind.orders.commands.placing import place
from fairwind.orders.order import Address, LineDraft, Order, OrderDraft, Placing
from fairwind.orders.orders import Orders
from fairwind.orders.states import REFUND_TRANSITIONS, TRANSITIONS, State, diagram
from fairwind.orders.wiring import wire

__all__ = [
    "REFUND_TRANSITIONS",
    "TRANSITIONS",
    "Address",
    "LineDraft",
    "Order",
    "OrderDraft",
    "Orders",
    "Placing",
    "ShipmentDraft",
    "Shipping",
    "State",
    "deliver",
    "diagram",
    "place",
    "ship",
    "wire",
]
