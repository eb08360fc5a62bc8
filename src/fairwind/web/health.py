"""Whether the server lives and is ready, and what it measures of itself."""

from __future__ import annotations

from typing import Any

import msgspec
from litestar import Request, Response, get
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from fairwind.identity import Access, Caller, Role
from fairwind.kernel import DatabaseError, Forbidden, Platform, Unavailable
from fairwind.kernel.schema import still_missing
from fairwind.web.contexts import PACKAGES
from fairwind.web.journal import Journal


class Health(msgspec.Struct, frozen=True):
    """The server answers."""

    status: str = "ok"


@get("/health/live", opt={"access": Access.PUBLIC})
async def live() -> Health:
    """The process lives. Restart it when this does not answer."""
    return Health()


@get("/health/ready", opt={"access": Access.PUBLIC, "refusals": [Unavailable]})
async def ready(platform: Platform) -> Health:
    """The server can work: its database answers and fits this version. One that shuts down takes no connections."""
    async with platform.database.transaction() as tx:
        try:
            steps = await still_missing(tx, PACKAGES)
        except DatabaseError as error:
            raise Unavailable(str(error)) from error
    if steps:
        raise Unavailable("the database is older than this version; run fairwind db upgrade")
    return Health()


@get("/metrics", opt={"access": Access.PUBLIC}, include_in_schema=False)
async def show_metrics(request: Request[Any, Any, Any], caller: Caller, journal: Journal) -> Response[bytes]:
    """Prometheus metrics, for operators and for a collector on this machine."""
    if Role.OPERATOR not in caller.roles and not _from_this_machine(request):
        raise Forbidden("metrics are for operators and for collectors on this machine")
    journal.write()
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _from_this_machine(request: Request[Any, Any, Any]) -> bool:
    """Not through a proxy: behind one on this machine every request seems to come from here."""
    forwarded = any(name.startswith(b"x-forwarded") or name == b"forwarded" for name, _ in request.scope["headers"])
    return not forwarded and request.client is not None and request.client.host in ("127.0.0.1", "::1")


HANDLERS = [live, ready, show_metrics]
