"""The catalog over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, delete, get, patch, post, put
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.response import Stream
from msgspec import Meta

from fairwind.catalog.catalog import Catalog
from fairwind.catalog.files.columns import UnknownFormat
from fairwind.catalog.files.records import Unreadable
from fairwind.catalog.files.report import ImportReport
from fairwind.catalog.grams import words
from fairwind.catalog.product import (
    CodeTaken,
    Price,
    PriceChange,
    Product,
    ProductChange,
    ProductDraft,
    ProductWithSkus,
    Sku,
    SkuDraft,
    SpecTaken,
    TooManySkus,
)
from fairwind.catalog.search import Found, PriceBound, Query, Search, Sort
from fairwind.catalog.shop import Category, CategoryDraft, Shop, ShopChange, ShopDraft, ShopState
from fairwind.identity import Access, Caller, LastMember, Member
from fairwind.kernel import CategoryId, ClickId, IdReused, Invalid, NotFound, PersonId, ProductId, ShopId, SkuId
from fairwind.kernel.pages import BIGINT_MAX, Cursor, Limit, Page, page, read_cursor

AnyId = Annotated[int, Meta(ge=1, le=BIGINT_MAX)]
FromLink = Annotated[
    ClickId | None, Meta(description="The click of a short link that led here; to be handed in with an order")
]
_MEMBERS: dict[str, Any] = {"access": Access.SHOP_MEMBER, "refusals": [NotFound]}


@post("/shops", opt={"access": Access.MERCHANT, "refusals": [IdReused, Invalid]})
async def open_shop(data: JSONBody[ShopDraft], caller: Caller, catalog: Catalog) -> Shop:
    """Open a shop and be its first member. The same draft again answers the same shop."""
    return await catalog.open_shop(caller.person, data)


@get("/shops", opt={"access": Access.PUBLIC})
async def list_shops(
    catalog: Catalog, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 20
) -> Page[Shop]:
    """Open shops."""
    found = await catalog.open_shops(read_cursor(cursor, ShopId) or ShopId(0), limit + 1)
    return page(found, limit, lambda shop: shop.id)


@get("/shops/{shop_id:int}", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def get_shop(
    shop_id: FromPath[ShopId],
    catalog: Catalog,
    click: FromQuery[FromLink] = None,  # noqa: ARG001  the viewer's device keeps it
) -> Shop:
    """A shop, open or closed."""
    return await catalog.shop(shop_id)


@patch("/shops/{shop_id:int}", opt=_MEMBERS)
async def change_shop(shop_id: FromPath[ShopId], data: JSONBody[ShopChange], catalog: Catalog) -> Shop:
    """Rename a shop."""
    return await catalog.change_shop(shop_id, name=data.name)


@put("/shops/{shop_id:int}/closure", opt=_MEMBERS)
async def close_shop(shop_id: FromPath[ShopId], catalog: Catalog) -> Shop:
    """Close a shop: nothing of it is found or bought any more; orders that were placed go on."""
    return await catalog.change_shop(shop_id, state=ShopState.CLOSED)


@delete("/shops/{shop_id:int}/closure", status_code=200, opt=_MEMBERS)
async def reopen_shop(shop_id: FromPath[ShopId], catalog: Catalog) -> Shop:
    """Open a closed shop again."""
    return await catalog.change_shop(shop_id, state=ShopState.OPEN)


@get("/shops/{shop_id:int}/members", opt={"access": Access.SHOP_MEMBER})
async def list_members(
    shop_id: FromPath[ShopId],
    catalog: Catalog,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Member]:
    """Who may act for a shop."""
    found = await catalog.members(shop_id, read_cursor(cursor, PersonId) or PersonId(0), limit + 1)
    return page(found, limit, lambda member: member.person_id)


@put("/shops/{shop_id:int}/members/{person_id:int}", status_code=204, opt=_MEMBERS)
async def add_member(shop_id: FromPath[ShopId], person_id: FromPath[PersonId], catalog: Catalog) -> None:
    """Let a person act for a shop. They may do all that you may, this too."""
    await catalog.add_member(shop_id, person_id)


@delete(
    "/shops/{shop_id:int}/members/{person_id:int}",
    opt={"access": Access.SHOP_MEMBER, "refusals": [LastMember]},
)
async def remove_member(shop_id: FromPath[ShopId], person_id: FromPath[PersonId], catalog: Catalog) -> None:
    """Take a person out of a shop's members, at once. The last one stays."""
    await catalog.remove_member(shop_id, person_id)


@get("/categories", opt={"access": Access.PUBLIC})
async def list_categories(
    catalog: Catalog, cursor: FromQuery[Cursor | None] = None, limit: FromQuery[Limit] = 100
) -> Page[Category]:
    """The platform's categories, a tree of two levels."""
    found = await catalog.categories(read_cursor(cursor, CategoryId) or CategoryId(0), limit + 1)
    return page(found, limit, lambda category: category.id)


@post("/categories", opt={"access": Access.OPERATOR, "refusals": [NotFound, Invalid]})
async def add_category(data: JSONBody[CategoryDraft], catalog: Catalog) -> Category:
    """Add a category. A name that is there already under the same parent answers the one that has it."""
    return await catalog.add_category(data)


@get("/products", opt={"access": Access.PUBLIC})
async def search_products(
    catalog: Catalog,
    q: FromQuery[Query] = "",
    shop_id: FromQuery[AnyId | None] = None,
    category_id: FromQuery[AnyId | None] = None,
    price_min_fen: FromQuery[PriceBound | None] = None,
    price_max_fen: FromQuery[PriceBound | None] = None,
    in_stock: FromQuery[bool] = False,
    sort: FromQuery[Sort] = Sort.SALES,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Found]:
    """Search what is on the shelf, in all shops or one. A category is searched with its children."""
    search = Search(
        words=words(q),
        shop_id=None if shop_id is None else ShopId(shop_id),
        category_id=None if category_id is None else CategoryId(category_id),
        price_min_fen=price_min_fen,
        price_max_fen=price_max_fen,
        in_stock=in_stock,
        sort=sort,
    )
    found = await catalog.search(search, read_cursor(cursor, search.key_shape), limit + 1)
    return page(found, limit, search.key)


@get("/shops/{shop_id:int}/products", opt={"access": Access.SHOP_MEMBER})
async def list_products(
    shop_id: FromPath[ShopId],
    catalog: Catalog,
    q: FromQuery[Query] = "",
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[Product]:
    """A shop's products, on the shelf or not, by code."""
    found = await catalog.products(shop_id, q, read_cursor(cursor, str) or "", limit + 1)
    return page(found, limit, lambda product: product.code)


@post(
    "/shops/{shop_id:int}/products",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, CodeTaken, SpecTaken]},
)
async def add_product(shop_id: FromPath[ShopId], data: JSONBody[ProductDraft], catalog: Catalog) -> ProductWithSkus:
    """Add a product with its SKUs and their first stock. The same draft again answers what is there."""
    return await catalog.add_product(shop_id, data)


@get("/shops/{shop_id:int}/products/{product_id:int}", opt={"access": Access.PUBLIC, "refusals": [NotFound]})
async def get_product(
    shop_id: FromPath[ShopId],
    product_id: FromPath[ProductId],
    caller: Caller,
    catalog: Catalog,
    click: FromQuery[FromLink] = None,  # noqa: ARG001  the viewer's device keeps it
) -> ProductWithSkus:
    """A product and its SKUs: what is on the shelf, and for members of the shop all of it."""
    return await catalog.product(shop_id, product_id, whole=caller.runs(shop_id))


@patch("/shops/{shop_id:int}/products/{product_id:int}", opt=_MEMBERS)
async def change_product(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], data: JSONBody[ProductChange], catalog: Catalog
) -> ProductWithSkus:
    """Change what a product is called and where it belongs."""
    return await catalog.reword(shop_id, product_id, data)


@put("/shops/{shop_id:int}/products/{product_id:int}/shelf", opt=_MEMBERS)
async def put_product_on_shelf(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], catalog: Catalog
) -> ProductWithSkus:
    """Offer a product: those of its SKUs that are on the shelf can be found and bought."""
    return await catalog.shelve_product(shop_id, product_id, on_shelf=True)


@delete("/shops/{shop_id:int}/products/{product_id:int}/shelf", status_code=200, opt=_MEMBERS)
async def take_product_off_shelf(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], catalog: Catalog
) -> ProductWithSkus:
    """Offer a product no longer; orders that were placed go on."""
    return await catalog.shelve_product(shop_id, product_id, on_shelf=False)


@post(
    "/shops/{shop_id:int}/products/{product_id:int}/skus",
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, SpecTaken, TooManySkus]},
)
async def add_sku(
    shop_id: FromPath[ShopId], product_id: FromPath[ProductId], data: JSONBody[SkuDraft], catalog: Catalog
) -> Sku:
    """Add a SKU to a product, with its first stock. The same draft again answers what is there."""
    return await catalog.add_sku(shop_id, product_id, data)


@put("/shops/{shop_id:int}/skus/{sku_id:int}/price", opt=_MEMBERS)
async def set_price(shop_id: FromPath[ShopId], sku_id: FromPath[SkuId], data: JSONBody[Price], catalog: Catalog) -> Sku:
    """Set what a SKU costs from now on. Orders that were placed keep their price."""
    return await catalog.reprice(shop_id, sku_id, data)


@get("/shops/{shop_id:int}/skus/{sku_id:int}/prices", opt={"access": Access.SHOP_MEMBER})
async def list_prices(
    shop_id: FromPath[ShopId],
    sku_id: FromPath[SkuId],
    catalog: Catalog,
    cursor: FromQuery[Cursor | None] = None,
    limit: FromQuery[Limit] = 20,
) -> Page[PriceChange]:
    """Every price that a SKU has had, the present one first."""
    found = await catalog.prices(shop_id, sku_id, read_cursor(cursor, int), limit + 1)
    return page(found, limit, lambda price: price.revision)


@put("/shops/{shop_id:int}/skus/{sku_id:int}/shelf", opt=_MEMBERS)
async def put_sku_on_shelf(shop_id: FromPath[ShopId], sku_id: FromPath[SkuId], catalog: Catalog) -> Sku:
    """Offer a SKU, as far as its product is offered."""
    return await catalog.shelve_sku(shop_id, sku_id, on_shelf=True)


@delete("/shops/{shop_id:int}/skus/{sku_id:int}/shelf", status_code=200, opt=_MEMBERS)
async def take_sku_off_shelf(shop_id: FromPath[ShopId], sku_id: FromPath[SkuId], catalog: Catalog) -> Sku:
    """Offer a SKU no longer."""
    return await catalog.shelve_sku(shop_id, sku_id, on_shelf=False)


@post(
    "/shops/{shop_id:int}/imports",
    status_code=200,
    request_max_body_size=None,
    opt={"access": Access.SHOP_MEMBER, "refusals": [NotFound, UnknownFormat, Unreadable], "body": "text/csv"},
)
async def import_products(shop_id: FromPath[ShopId], request: Request[Any, Any, Any], catalog: Catalog) -> ImportReport:
    """Import a catalogue file: Fairwind's CSV or Shopify's product CSV, in UTF-8 or GB18030, of any length.

    Every valid line is imported and every refused one named with its number and the reason. The same file again changes
    nothing, so an import that broke off is simply sent again. Stock is taken for new SKUs only.
    """
    if request.headers.get("content-type", "").startswith("multipart/"):
        raise UnknownFormat("the body is a form; send the file itself, as curl --data-binary @goods.csv does")
    return await catalog.import_file(shop_id, request.stream())


@get("/shops/{shop_id:int}/products.csv", media_type="text/csv", opt=_MEMBERS)
async def export_products(
    shop_id: FromPath[ShopId],
    catalog: Catalog,
    format: FromQuery[Literal["fairwind", "shopify"]] = "fairwind",  # noqa: A002
) -> Stream:
    """A shop's products as a file that can be imported again: in Fairwind's format or as Shopify's product CSV."""
    return Stream(
        await catalog.export(shop_id, format),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="shop-{shop_id}-{format}.csv"'},
    )


HANDLERS = (
    open_shop,
    list_shops,
    get_shop,
    change_shop,
    close_shop,
    reopen_shop,
    list_members,
    add_member,
    remove_member,
    list_categories,
    add_category,
    search_products,
    list_products,
    add_product,
    get_product,
    change_product,
    put_product_on_shelf,
    take_product_off_shelf,
    add_sku,
    set_price,
    list_prices,
    put_sku_on_shelf,
    take_sku_off_shelf,
    import_products,
    export_products,
)
