"""The door: what every request passes, whatever its route, and whether or not there is one.

It gives each request its id, refuses forged and malformed ones, adds the security headers, and notes the answer. It
stands on the hottest path, so it looks at the headers once and allocates little.
"""

from __future__ import annotations

import os
import re
from itertools import count
from time import perf_counter

import structlog
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from fairwind.kernel import Refused, Settings, metrics
from fairwind.web.journal import Journal
from fairwind.web.problems import MEDIA_TYPE, BadRequest, document

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
HEAD = "head"
"""In a request's state: it asks what GET would answer, and must not count as one."""
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
_NOSNIFF = (b"x-content-type-options", b"nosniff")
_NO_FRAMES = (b"content-security-policy", b"frame-ancestors 'none'")


class CrossOrigin(Refused):
    """A page of another site made this request with the visitor's cookies."""

    code = "cross_origin"
    status = 403


class Door:
    """Wraps the app; see the module."""

    def __init__(self, app: ASGIApp, settings: Settings, journal: Journal) -> None:
        self._app = app
        self._journal = journal
        self._own_origin = settings.public_url.encode()
        self._prefix = os.urandom(5).hex()
        self._numbers = count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        started = perf_counter()
        headers = dict(scope["headers"])
        request_id = self._request_id(headers.get(b"x-request-id"))
        scope["state"]["request_id"] = request_id
        structlog.contextvars.bind_contextvars(request_id=request_id)
        if scope["method"] == "HEAD":  # answered like GET; the server below leaves out the body
            scope = {**scope, "method": "GET"}
            scope["state"][HEAD] = True
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = (_NOSNIFF, _NO_FRAMES, (b"x-request-id", request_id.encode()))
                message["headers"] = [*message["headers"], *ours]
            await send(message)

        try:
            refusal = self._refusal(scope, headers)
            if refusal is None:
                await self._app(scope, receive, answer)
            else:
                await _refuse(refusal, request_id, answer)
        finally:
            client = scope["client"]
            self._journal.note(
                request_id,
                client[0] if client else "",
                scope["method"],
                scope.get("path_template") or "unknown",
                scope["path"],
                status,
                perf_counter() - started,
            )

    def _request_id(self, given: bytes | None) -> str:
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode()
        return f"{self._prefix}-{next(self._numbers):06x}"

    def _refusal(self, scope: HTTPScope, headers: dict[bytes, bytes]) -> Refused | None:
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            return BadRequest("the address holds the character NUL")
        if scope["method"] not in SAFE_METHODS and not self._same_origin(headers):
            return CrossOrigin("a page of another site may not do this with your session; use this site's own pages")
        return None

    def _same_origin(self, headers: dict[bytes, bytes]) -> bool:
        """The check of Go's http.CrossOriginProtection.

        Browsers say where a request comes from and pages cannot change it; what says nothing is no browser, and has
        nobody's cookies to misuse.
        """
        site = headers.get(b"sec-fetch-site")
        origin = headers.get(b"origin")
        if self._own_origin and origin == self._own_origin:
            return True
        if site is not None:
            return site in (b"same-origin", b"none")
        return origin is None or origin.partition(b"://")[2] == headers.get(b"host")


async def _refuse(refusal: Refused, request_id: str, send: Send) -> None:
    metrics.REFUSALS.labels(refusal.code).inc()
    body = document(refusal, request_id)
    headers = [(b"content-type", MEDIA_TYPE.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
