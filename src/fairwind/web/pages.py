"""The pages that the server has of its own: a welcome, and the API to browse and try. Nothing comes from elsewhere."""

from __future__ import annotations

import gzip
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

import msgspec
from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery

import fairwind
from fairwind.identity import Access
from fairwind.web.problems import UnknownRoute

_CSP = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",  # Swagger UI sets styles on its elements
        "img-src 'self' data:",
        "connect-src 'self'",
        "form-action 'self'",
    ]
)
_OWN = files("fairwind.web") / "assets"
_SWAGGER = files("swagger_ui_bundle") / "vendor"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
_ASSETS = {
    "fairwind.svg": _OWN,
    "pages.css": _OWN,
    "docs.js": _OWN,
    "sign-in.js": _OWN,
    "swagger-ui.css": _SWAGGER,
    "swagger-ui-bundle.js": _SWAGGER,
}


class Document:
    """The OpenAPI document, as JSON."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.body = msgspec.json.encode(document)


@get("/", opt={"access": Access.PUBLIC}, include_in_schema=False)
async def welcome() -> Response[str]:
    """What this server is."""
    return _page("index.html")


@get("/sign-in", opt={"access": Access.PUBLIC}, include_in_schema=False)
async def sign_in(next: FromQuery[str | None] = None) -> Response[str]:  # noqa: A002, ARG001
    """Where browsers sign in. next: where they go on to, on this server; the page's script looks at it."""
    return _page("sign-in.html")


@get("/docs", opt={"access": Access.PUBLIC}, include_in_schema=False)
async def browse() -> Response[str]:
    """The API, to browse and try."""
    return _page("docs.html")


@get("/openapi.json", opt={"access": Access.PUBLIC}, include_in_schema=False)
async def openapi(document: Document) -> Response[bytes]:
    """The API, as an OpenAPI 3.1 document."""
    return Response(document.body, media_type="application/json")


@get("/assets/{name:str}", opt={"access": Access.PUBLIC}, include_in_schema=False)
async def asset(name: FromPath[str], request: Request[Any, Any, Any]) -> Response[bytes]:
    """A file that the pages need."""
    if name not in _ASSETS:
        raise UnknownRoute("there is no such file")
    zipped = "gzip" in request.headers.get("accept-encoding", "")
    headers = {"Cache-Control": "public, max-age=86400", "Vary": "Accept-Encoding"}
    return Response(
        _zipped(name) if zipped else _file(name),
        media_type=_TYPES[name[name.rindex(".") :]],
        headers=headers | ({"Content-Encoding": "gzip"} if zipped else {}),
    )


def _page(name: str) -> Response[str]:
    return Response(
        _text(name), media_type="text/html", headers={"Content-Security-Policy": _CSP, "Referrer-Policy": "same-origin"}
    )


@cache
def _text(name: str) -> str:
    return (_OWN / name).read_text(encoding="utf-8").replace("VERSION", fairwind.__version__)


@cache
def _file(name: str) -> bytes:
    folder = _ASSETS[name]
    if folder is _SWAGGER:
        folder = _only(folder)
    return (folder / name).read_bytes()


@cache
def _zipped(name: str) -> bytes:
    return gzip.compress(_file(name), mtime=0)


def _only(folder: Traversable) -> Traversable:
    """The one folder in folder: its name holds Swagger UI's version."""
    [inner] = folder.iterdir()
    return inner


HANDLERS = [welcome, sign_in, browse, openapi, asset]
