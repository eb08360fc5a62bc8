"""What the alliance adds to the app."""

from __future__ import annotations

from fairwind.alliance.commands.desk import Links
from fairwind.alliance.commands.links import count_orders
from fairwind.alliance.commands.sales import count_returned, count_sold
from fairwind.alliance.commands.watch import Watch
from fairwind.alliance.jobs import Sweeps
from fairwind.alliance.routes import HANDLERS
from fairwind.kernel import Platform, Wiring


def wire(platform: Platform) -> Wiring:
    watch = Watch(platform)
    platform.relay.subscribe("orders.placed", count_orders)
    platform.every(60, "alliance.miss_samples", watch.miss_samples)
    platform.every(300, "alliance.recheck_quality", watch.recheck_quality)
    platform.every(3600, "alliance.forget_clicks", watch.forget_clicks)
    sweeps = Sweeps(platform)
    platform.relay.subscribe("orders.paid", count_sold)
    platform.relay.subscribe("orders.refund_agreed", count_returned)
    platform.every(5.0, "alliance.refresh_pool", sweeps.refresh_pool)
    platform.every(600.0, "alliance.find_head", sweeps.find_head)
    return Wiring(handlers=HANDLERS, provides={"links": Links(platform)})
