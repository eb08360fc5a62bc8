"""What the inventory adds to the app."""

from __future__ import annotations

from fairwind.inventory.inventory import Inventory
from fairwind.inventory.routes import HANDLERS
from fairwind.kernel import Platform, Wiring


def wire(platform: Platform) -> Wiring:
    return Wiring(handlers=HANDLERS, provides={"inventory": Inventory(platform)})
