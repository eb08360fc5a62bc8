"""The catalog: shops, categories, products and their SKUs, prices and shelves, search, import and export.

A code names one product of its shop and a spec one SKU of its product. Every price that a SKU has had is kept. An
import takes every valid line of a file and names each one it refuses; the same file a second time changes nothing.
"""

from fairwind.catalog.product import Listing, Offer
from fairwind.catalog.store import availability_marked, listings, offers

__all__ = ["Listing", "Offer", "availability_marked", "listings", "offers"]
