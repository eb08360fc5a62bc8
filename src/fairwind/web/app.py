"""Builds the HTTP app from what the contexts bring."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from litestar import Litestar, Response
from litestar.enums import HttpMethod
from litestar.handlers import HTTPRouteHandler

import fairwind
from fairwind.kernel import Platform
from fairwind.web import health, pages
from fairwind.web.access import authorised, check_declared
from fairwind.web.binding import bind
from fairwind.web.contexts import wire_all
from fairwind.web.document import document
from fairwind.web.door import Door
from fairwind.web.journal import Journal
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
        "journal": Journal(platform.settings.log_format),
    }
    for wiring in wirings.values():
        objects |= wiring.provides

    def bound(handlers: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
        check_declared(handlers)
        return [bind(handler, objects, platform.settings.body_bytes_max) for handler in handlers]

    async def start() -> None:
        platform.start()

    async def stop() -> None:
        await platform.stop()
        objects["journal"].write()

    by_context = {name: bound(wiring.handlers) for name, wiring in wirings.items()}
    by_context["health"] = bound(health.HANDLERS)
    openapi = _document(by_context)
    objects["document"] = pages.Document(openapi)
    handlers = [handler for handlers in by_context.values() for handler in handlers] + bound(pages.HANDLERS)
    app = Litestar(
        [*_options(handlers), *handlers],  # OPTIONS first, so that Litestar makes none of its own
        middleware=[authorised(objects["identity"])],
        exception_handlers={Exception: problem},
        request_max_body_size=platform.settings.body_bytes_max,
        on_startup=[start],
        on_shutdown=[stop],
        openapi_config=None,
        logging_config=None,
    )
    app.state.openapi = openapi
    app.asgi_handler = Door(app.asgi_handler, platform.settings, objects["journal"])
    return app


def _options(handlers: Sequence[HTTPRouteHandler]) -> list[HTTPRouteHandler]:
    """What each address answers to OPTIONS: Litestar's own answer forgets methods whose handler came later."""
    methods: dict[str, set[str]] = {}
    for handler in handlers:
        for path in handler.paths:
            methods.setdefault(path, {"OPTIONS"}).update(str(HttpMethod(each).value) for each in handler.http_methods)
            if HttpMethod.GET in handler.http_methods:
                methods[path].add("HEAD")
    return [_allowing(path, ", ".join(sorted(those))) for path, those in methods.items()]


def _allowing(path: str, methods: str) -> HTTPRouteHandler:
    async def allowed() -> Response[None]:
        return Response(None, status_code=204, headers={"Allow": methods})

    return HTTPRouteHandler(path, http_method=HttpMethod.OPTIONS)(allowed)


def _document(by_context: Mapping[str, Sequence[HTTPRouteHandler]]) -> dict[str, Any]:
    about = {name: inspect.getdoc(sys.modules.get(f"fairwind.{name}", health)) or "" for name in by_context}
    return document(by_context, {name: text.partition("\n")[0] for name, text in about.items()}, fairwind.__version__)
