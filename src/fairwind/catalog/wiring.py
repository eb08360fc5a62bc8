"""What the catalog adds to the app."""

from __future__ import annotations

from fairwind.catalog.catalog import Catalog
from fairwind.catalog.commands.sales import count_sold
from fairwind.catalog.routes import HANDLERS
from fairwind.kernel import Platform, Wiring


def wire(platform: Platform) -> Wiring:
    platform.relay.subscribe("orders.paid", count_sold)
    return Wiring(handlers=HANDLERS, provides={"catalog": Catalog(platform)})
