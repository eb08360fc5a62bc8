"""Who may call a route: one check for all of them, before the body is read.

A middleware rather than a guard: Litestar copies the route handler for each call of a guard, which cost 10 µs a
request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import urlencode

from litestar.handlers import HTTPRouteHandler
from litestar.response.redirect import ASGIRedirectResponse
from litestar.types import ASGIApp, Receive, Scope, Send

from fairwind.identity import NOBODY, SESSION_COOKIE, Access, Identity
from fairwind.kernel import SignInNeeded
from fairwind.kernel.pages import BIGINT_MAX
from fairwind.web.binding import APP, CALLER
from fairwind.web.problems import UnknownRoute

_COOKIE = SESSION_COOKIE.encode() + b"="


def check_declared(handlers: Iterable[HTTPRouteHandler]) -> None:
    """Every route says who may call it; one that does not is a mistake of its author."""
    for handler in handlers:
        assert isinstance(handler.opt.get("access"), Access), f"{handler} needs opt={{'access': Access.…}}"
        if handler.opt["access"] is Access.SHOP_MEMBER:
            assert all("{shop_id:int}" in path for path in handler.paths), (
                f"{handler} needs {{shop_id:int}} in its path"
            )


def authorised(identity: Identity) -> Callable[[ASGIApp], ASGIApp]:
    """Middleware that finds out who calls, refuses whoever may not, and calls the bound handler."""

    def middleware(app: ASGIApp) -> ASGIApp:
        async def check(scope: Scope, receive: Receive, send: Send) -> None:
            options = scope["route_handler"].opt
            access: Access = options.get("access", Access.PUBLIC)  # only Litestar's own OPTIONS handlers have none
            path: dict[str, Any] = scope["path_params"]
            if path:
                _check_ids(path, scope["path"])
            caller = NOBODY
            if access is not Access.PUBLIC or options.get(CALLER):
                caller = await identity.caller(session_token(scope))
                try:
                    caller.check(access, path.get("shop_id"))
                except SignInNeeded:
                    if not _navigates(scope):
                        raise
                    await _to_sign_in(scope)(scope, receive, send)
                    return
            scope["state"][CALLER] = caller
            await options.get(APP, app)(scope, receive, send)

        return check

    return middleware


def _navigates(scope: Scope) -> bool:
    """Whether somebody follows a link in a browser: a program gets a problem, a person a page."""
    return scope.get("method") == "GET" and (b"sec-fetch-mode", b"navigate") in scope["headers"]


def _to_sign_in(scope: Scope) -> ASGIRedirectResponse:
    query = scope["query_string"].decode("latin-1")
    here = scope["path"] + (f"?{query}" if query else "")
    return ASGIRedirectResponse(path=f"/sign-in?{urlencode({'next': here})}", status_code=303)


def _check_ids(parameters: Mapping[str, Any], path: str) -> None:
    """One id, one address: int() would read 1_0 and １ as well, and what exceeds a bigint nobody has."""
    for value in parameters.values():
        if isinstance(value, int) and not (0 < value <= BIGINT_MAX and str(value) in path.split("/")):
            raise UnknownRoute("there is nothing at this address: an id in it is not a number that can be one")


def session_token(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"cookie":
            for part in value.split(b";"):
                cookie = part.strip()
                if cookie.startswith(_COOKIE):
                    return cookie[len(_COOKIE) :].decode("latin-1")
    return None
