"""Every answer that says no, as problem+json (RFC 9457) with a stable code."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

from fairwind.kernel import Refused, metrics

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"


class UnknownRoute(Refused):
    """There is nothing at this address."""

    code = "unknown_route"
    status = 404


class MethodNotAllowed(Refused):
    """The address is known, the method is not; the header Allow says which are."""

    code = "method_not_allowed"
    status = 405


class BodyTooLarge(Refused):
    """The body is larger than this address takes."""

    code = "body_too_large"
    status = 413


class BadRequest(Refused):
    """The request is not proper HTTP or holds what cannot be stored."""

    code = "bad_request"
    status = 400


class Internal(Refused):
    """Something went wrong inside; the log holds it under the request id."""

    code = "internal"
    status = 500


_UNSTORABLE = {"22003", "22008", "22021", "22P05"}
"""SQLSTATEs of a number or time out of range and of a character that cannot be kept: the net below the types."""
_BY_STATUS: dict[int, tuple[type[Refused], str]] = {
    404: (UnknownRoute, "there is nothing at this address; /docs lists what there is"),
    405: (MethodNotAllowed, "this address does not take this method; the header Allow names those it takes"),
    413: (BodyTooLarge, "the body is larger than this address takes"),
}


def problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """The answer for any exception that a handler or Litestar raised."""
    refusal = as_refusal(error)
    if refusal.status >= 500 and not isinstance(error, Refused):
        log.error("request_failed", method=request.method, path=request.scope["path"], exc_info=error)
    metrics.REFUSALS.labels(refusal.code).inc()
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    if (wait_s := _wait_s(refusal)) is not None:
        headers["Retry-After"] = str(wait_s)
    return Response(
        document(refusal, request.scope["state"].get("request_id", "")),
        status_code=refusal.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def _wait_s(refusal: Refused) -> int | None:
    if "retry_after_s" in refusal.more:
        return int(refusal.more["retry_after_s"])
    return 1 if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE else None


def document(refusal: Refused, request_id: str) -> bytes:
    """refusal as problem+json."""
    members = {
        "type": f"urn:fairwind:problem:{refusal.code}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": refusal.detail,
        "code": refusal.code,
        "request_id": request_id,
    }
    return msgspec.json.encode(members | refusal.more)


def as_refusal(error: Exception) -> Refused:
    """error as the refusal that the client sees; nothing of the inside leaks."""
    if isinstance(error, Refused):
        return error
    if getattr(error, "sqlstate", None) in _UNSTORABLE:
        return BadRequest("a value is out of range or cannot be kept; nothing was changed")
    if isinstance(error, HTTPException) and error.status_code < 500:
        kind, detail = _BY_STATUS.get(error.status_code, (BadRequest, error.detail))
        return kind(detail)
    if isinstance(error, HTTPException) and "disconnected" in error.detail:
        return BadRequest("the client went away before its request was complete")
    return Internal("something went wrong on our side; tell the operator the request_id")
