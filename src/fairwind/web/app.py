"""Builds the HTTP app from what the contexts bring."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Response
from litestar.enums import HttpMethod
from litestar.handlers import BaseRouteHandler, HTTPRouteHandler

import fairwind
from fairwind.kernel import Platform
from fairwind.web import health, pages
from fairwind.web.access import authorised, check_declared
from fairwind.web.binding import bind
from fairwind.web.contexts import wire_all
from fairwind.web.document import document
from fairwind.web.door import Door
from fairwind.web.problems import problem


def build(platform: Platform) -> Litestar:
    """The app of this installation. Its lifespan starts the platform's work, and at the end finishes it.

    Nothing is asked of the database yet. `state.openapi` is the app's OpenAPI document.
    """
    wirings = wire_all(platform)
    objects: dict[str, Any] = {
        "platform": platform,
        "database": platform.database,
        "clock": platform.clock,
        "settings": platform.settings,
    }
    for wiring in wirings.values():
        objects |= wiring.provides
    by_context = {name: _bound(wiring.handlers, objects) for name, wiring in wirings.items()}
    by_context["health"] = _bound(health.HANDLERS, objects)
    openapi = _document(by_context)
    objects["document"] = pages.Document(openapi)

    async def start() -> None:
        platform.start()

    everything = [handler for bound in by_context.values() for handler in bound] + _bound(pages.HANDLERS, objects)
    app = Litestar(
        _options(everything) + everything,  # first, so that Litestar makes none of its own
        middleware=[authorised(objects["identity"])],
        exception_handlers={Exception: problem},
        request_max_body_size=platform.settings.body_bytes_max,
        on_startup=[start],
        on_shutdown=[platform.stop],
        openapi_config=None,
        logging_config=None,
    )
    app.state.openapi = openapi
    app.asgi_handler = Door(app.asgi_handler, platform.settings)
    return app


def _bound(handlers: Sequence[BaseRouteHandler], objects: Mapping[str, Any]) -> list[BaseRouteHandler]:
    check_declared(handlers)
    return [bind(handler, objects) for handler in handlers]


def _options(handlers: Sequence[BaseRouteHandler]) -> list[BaseRouteHandler]:
    """What each address answers to OPTIONS: Litestar's own answer forgets methods whose handler came later."""
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        if isinstance(handler, HTTPRouteHandler):
            for path in handler.paths:
                methods.setdefault(path, {"OPTIONS"}).update(
                    str(HttpMethod(each).value) for each in handler.http_methods
                )
    return [_allowing(path, ", ".join(sorted(those))) for path, those in methods.items()]


def _allowing(path: str, methods: str) -> BaseRouteHandler:
    async def allowed() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": methods})

    return HTTPRouteHandler(path, http_method=HttpMethod.OPTIONS)(allowed)


def _document(by_context: Mapping[str, Sequence[BaseRouteHandler]]) -> dict[str, Any]:
    http = {
        name: [handler for handler in handlers if isinstance(handler, HTTPRouteHandler)]
        for name, handlers in by_context.items()
    }
    about = {name: inspect.getdoc(sys.modules.get(f"fairwind.{name}", health)) or "" for name in by_context}
    return document(http, {name: text.partition("\n")[0] for name, text in about.items()}, fairwind.__version__)
