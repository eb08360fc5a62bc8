"""The inventory 库存: stock, holds for unpaid orders, limits per buyer, and why stock changed.

Invariants: available = adjusted − sold − held and never below zero; adjusted is the sum of the adjustments, held the
sum of the holds. A batch of orders works on a `Shelf` of locked stock and saves each SKU once.
"""

from fairwind.inventory.commands import add_stock, set_buyer_limit
from fairwind.inventory.stock import (
    Adjustment,
    AdjustmentDraft,
    Goods,
    Hold,
    OutOfStock,
    OverBuyerLimit,
    Quantity,
    Shelf,
    Stock,
)
from fairwind.inventory.store import (
    bought,
    expired_holds,
    holds_added,
    holds_removed,
    shelf_saved,
    stock_locked,
    stock_of,
)
from fairwind.inventory.wiring import wire

__all__ = [
    "Adjustment",
    "AdjustmentDraft",
    "Goods",
    "Hold",
    "OutOfStock",
    "OverBuyerLimit",
    "Quantity",
    "Shelf",
    "Stock",
    "add_stock",
    "bought",
    "expired_holds",
    "holds_added",
    "holds_removed",
    "set_buyer_limit",
    "shelf_saved",
    "stock_locked",
    "stock_of",
    "wire",
]
