"""What orders add to the app."""

from __future__ import annotations

from fairwind.kernel import Platform, Wiring
from fairwind.orders import events
from fairwind.orders.book import Book
from fairwind.orders.commands.after_sales import confirm_refunds
from fairwind.orders.orders import Orders
from fairwind.orders.routes import HANDLERS


def wire(platform: Platform) -> Wiring:
    payments = platform.provided["payments"]
    orders = Orders(platform, payments, platform.provided["placements"])
    payments.deliver_to(orders.delivering)
    platform.relay.subscribe(events.PART_PAID, orders.pay_part)
    platform.relay.subscribe("payments.refunded", confirm_refunds)
    platform.every(1.0, "time_out_unpaid", orders.time_out_unpaid)
    platform.every(5.0, "meet_deadlines", orders.meet_deadlines)
    return Wiring(handlers=HANDLERS, provides={"orders": orders, "book": Book(platform)})
