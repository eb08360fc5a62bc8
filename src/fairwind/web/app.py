"""Builds the HTTP app from what the contexts bring."""

from __future__ import annotations

from typing import Any

from litestar import Litestar

from fairwind.kernel import Platform
from fairwind.web import health
from fairwind.web.access import authorised, check_declared
from fairwind.web.binding import bind
from fairwind.web.contexts import wire_all
from fairwind.web.door import Door
from fairwind.web.problems import problem


def build(platform: Platform) -> Litestar:
    """The app of this installation. Its lifespan starts the platform's work, and at the end finishes it."""
    wirings = wire_all(platform)
    objects: dict[str, Any] = {
        "platform": platform,
        "database": platform.database,
        "clock": platform.clock,
        "settings": platform.settings,
    }
    for wiring in wirings.values():
        objects |= wiring.provides
    handlers = [handler for wiring in wirings.values() for handler in wiring.handlers] + health.HANDLERS
    check_declared(handlers)

    async def start() -> None:
        platform.start()

    app = Litestar(
        [bind(handler, objects) for handler in handlers],
        middleware=[authorised(objects["identity"])],
        exception_handlers={Exception: problem},
        request_max_body_size=platform.settings.body_bytes_max,
        on_startup=[start],
        on_shutdown=[platform.stop],
        openapi_config=None,
        logging_config=None,
    )
    app.asgi_handler = Door(app.asgi_handler, platform.settings)
    return app
