"""Makes a context's handlers into ASGI apps: arguments read, objects given, answers encoded.

A handler names what it wants: objects of the installation, `caller`, path and query parameters, `data` for the JSON
body, or the `request` itself. Litestar routes to it and turns what it raises into an answer; its own way of calling
handlers is not used. That way starts a task group when a handler is given two objects (70 µs), drops bounds on query
parameters, and builds objects for request and response that most handlers never look at.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Mapping
from copy import copy
from functools import partial
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.handlers import HTTPRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send
from litestar.types.empty import Empty

from fairwind.web.inputs import Inputs

APP = "app"
CALLER = "caller"
INPUTS = "inputs"
ANSWER = "answer"
_encode = msgspec.json.Encoder().encode


def bind(handler: HTTPRouteHandler, objects: Mapping[str, Any], body_bytes_max: int) -> HTTPRouteHandler:
    """A copy of handler for one app; objects are given by parameter name, once and for all.

    Its `opt` gains `app`, which answers its requests, and what access and the OpenAPI document want to know: `caller`
    (whether it asks for the caller), `inputs`, and `answer`, the type of its answer.
    """
    fn: Callable[..., Any] = handler.fn
    hints = typing.get_type_hints(fn, include_extras=True)
    wanted = {name: each.replace(annotation=hints[name]) for name, each in inspect.signature(fn).parameters.items()}
    given = partial(fn, **{name: objects[name] for name in wanted if name in objects})
    read = [each for name, each in wanted.items() if name not in {*objects, CALLER, "request"}]
    bytes_max = body_bytes_max if handler.request_max_body_size is Empty else handler.request_max_body_size
    inputs = Inputs(f"{fn.__module__}.{fn.__name__}", read, _names_in(handler), bytes_max)
    bound = copy(handler)(_stub(fn))
    bound.opt = {
        **handler.opt,
        APP: _app(given, inputs, bound, wants_caller=CALLER in wanted, wants_request="request" in wanted),
        CALLER: CALLER in wanted,
        INPUTS: inputs,
        ANSWER: hints.get("return"),
    }
    return bound


def _names_in(handler: HTTPRouteHandler) -> set[str]:
    parts = [part for path in handler.paths for part in path.split("/")]
    return {part[1:-1].partition(":")[0] for part in parts if part.startswith("{")}


def _stub(fn: Callable[..., Any]) -> Callable[..., Any]:
    """What Litestar looks at in place of fn, and never calls."""

    async def stub() -> None:
        raise AssertionError("the middleware in access.py calls the bound app")

    for name in ("__name__", "__qualname__", "__module__", "__doc__"):
        setattr(stub, name, getattr(fn, name))
    return stub


def _app(
    given: Callable[..., Any], inputs: Inputs, handler: HTTPRouteHandler, *, wants_caller: bool, wants_request: bool
) -> ASGIApp:
    status: int = handler.status_code
    media_type = handler.media_type

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        arguments = await inputs.read(scope, receive)
        request: Request[Any, Any, Any] | None = None
        if wants_request:
            arguments["request"] = request = Request(scope, receive, send)
        if wants_caller:
            arguments[CALLER] = scope["state"][CALLER]
        answer = await given(**arguments)
        if isinstance(answer, Response):
            request = request or Request(scope, receive, send)
            response = answer.to_asgi_response(None, request, media_type=media_type, status_code=status)
            await response(scope, receive, send)
        else:
            await _send_json(status, answer, send)

    return app


async def _send_json(status: int, answer: Any, send: Send) -> None:
    body = b"" if status == 204 else _encode(answer)
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [] if status == 204 else headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})
