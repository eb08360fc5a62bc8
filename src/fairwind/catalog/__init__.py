"""The catalog: shops, categories, products and their SKUs, prices and shelves, search, import and export.

A code names one product of its shop and a spec one SKU of its product. Every price that a SKU has had is kept. An
import takes every valid line of a file and names each one it refuses; the same file a second time changes nothing.
"""

from fairwind.catalog.catalog import Catalog
from fairwind.catalog.commands.products import add_products
from fairwind.catalog.commands.shops import open_shop
from fairwind.catalog.files.lines import RefusedLine
from fairwind.catalog.files.report import ImportReport, Progress
from fairwind.catalog.grams import wanted_grams, words
from fairwind.catalog.product import Listing, Offer, ProductDraft, ProductWithSkus, Sku, SkuDraft
from fairwind.catalog.shop import Channel, Shop, ShopDraft
from fairwind.catalog.stockroom import Stockroom
from fairwind.catalog.store.products import availability_marked, listings, lowest_prices, offers, skus_of
from fairwind.catalog.store.shops import shops
from fairwind.catalog.wiring import wire

__all__ = [
    "Catalog",
    "Channel",
    "ImportReport",
    "Listing",
    "Offer",
    "ProductDraft",
    "ProductWithSkus",
    "Progress",
    "RefusedLine",
    "Shop",
    "ShopDraft",
    "Sku",
    "SkuDraft",
    "Stockroom",
    "add_products",
    "availability_marked",
    "listings",
    "lowest_prices",
    "offers",
    "open_shop",
    "shops",
    "skus_of",
    "wanted_grams",
    "wire",
    "words",
]
