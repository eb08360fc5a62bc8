"""JSON bodies: decoded once, strictly, and straight to the type that the handler asks for.

What PostgreSQL cannot keep (NUL in a text) is refused here, once for all handlers; lone surrogates are not JSON for
msgspec. Integers have bounds in their types.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec
from litestar import Request

from fairwind.kernel import Refused
from fairwind.web.binding import DECODER

_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


class InvalidBody(Refused):
    """The body is not JSON, or not of the shape that is asked for; `errors` names the field and the reason."""

    code = "invalid_body"
    status = 400


class WrongContentType(Refused):
    """The body is not declared as what this address takes."""

    code = "wrong_content_type"
    status = 415


class JsonRequest(Request[Any, Any, Any]):
    """A request whose JSON body comes out as the type of the handler's `data`."""

    async def json(self) -> Any:
        content_type = self.headers.get("content-type", "").partition(";")[0].strip().lower()
        if content_type != "application/json":
            raise WrongContentType("send JSON, with the header Content-Type: application/json")
        return decode(await self.body(), self.scope["route_handler"].opt[DECODER])


def decode(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """body as the decoder's type. Raises InvalidBody."""
    try:
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidBody(f"the body is not JSON: {error}", errors=[]) from None
    except RecursionError:
        raise InvalidBody("the body is nested too deeply", errors=[]) from None
    if b"\\u0000" in body and _NUL.search(body):
        raise InvalidBody("a text holds the character NUL (\\u0000), which cannot be kept", errors=[])
    return value


def _invalid(error: msgspec.ValidationError) -> InvalidBody:
    reason, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").removeprefix(".")
    return InvalidBody(f"{field or 'the body'}: {plain(reason)}", errors=[{"field": field, "reason": plain(reason)}])


def plain(reason: str) -> str:
    """msgspec's reason in the words of someone who writes JSON."""
    reason = reason.partition(" - at `")[0]
    for pattern, words in _WORDS:
        reason = re.sub(pattern, words, reason)
    return reason


_WORDS = [
    (r"^Object missing required field `(.+)`$", r"the field \1 is missing"),
    (r"^Object contains unknown field `(.+)`$", r"there is no field \1 here"),
    (r"^Expected (.+), got (.+)$", r"must be \1, not \2"),
    (r"^Expected (.+)$", r"must be \1"),
    (r"^Invalid (.+)$", r"not a valid \1"),
    (r"`int`", "a whole number"),
    (r"`str`", "a text"),
    (r"`bool`", "true or false"),
    (r"`array`", "a list"),
    (r"`object`", "an object"),
    (r"`uuid`", "UUID"),
    (r" of length ", " with a length "),
    (r"\| `null`", "or null"),
    (r"`", ""),
]
