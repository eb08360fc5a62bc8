"""What a handler takes from the path, the query and the body, read exactly as its annotations say.

msgspec reads all three, so that the bounds in a type (`Meta`) hold everywhere and stand in the OpenAPI document;
Litestar 2 drops them on query parameters, and reads numbers out of texts in a body. What PostgreSQL cannot keep (NUL in
a text) is refused here, once for all handlers; lone surrogates are not JSON for msgspec.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from inspect import Parameter
from typing import Annotated, Any, get_args, get_origin
from urllib.parse import parse_qsl

import msgspec
from litestar.types import Receive, Scope
from msgspec import Meta

from fairwind.kernel import Refused
from fairwind.web.problems import BodyTooLarge, UnknownRoute

BODY = "data"
_NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_FIELDS_MAX = 100


class InvalidQuery(Refused):
    """A parameter in the query is missing, unknown or not what it should be; `errors` names it."""

    code = "invalid_query"
    status = 400


class InvalidBody(Refused):
    """The body is not JSON, or not of the shape that is asked for; `errors` names the field and the reason."""

    code = "invalid_body"
    status = 400


class WrongContentType(Refused):
    """The body is not declared as what this address takes."""

    code = "wrong_content_type"
    status = 415


class Gone(Refused):
    """The client went away while it was still sending; nobody reads this answer."""

    code = "gone"
    status = 400


class Inputs:
    """How one handler's arguments are read. path, query and body are None where there is nothing to read."""

    def __init__(
        self, name: str, parameters: Sequence[Parameter], in_path: set[str], body_bytes_max: int | None
    ) -> None:
        """name: unique. parameters: those that the request fills, annotations resolved. in_path: the path's names."""
        self._body_bytes_max = body_bytes_max or sys.maxsize
        body = [parameter.annotation for parameter in parameters if parameter.name == BODY]
        rest = [parameter for parameter in parameters if parameter.name != BODY]
        self.body: Any = plain(body[0]) if body else None
        self.path = _struct(f"{name}.Path", [parameter for parameter in rest if parameter.name in in_path])
        self.query = _struct(f"{name}.Query", [parameter for parameter in rest if parameter.name not in in_path])
        self._lists = {
            field.name for field in (msgspec.structs.fields(self.query) if self.query else ()) if _is_list(field.type)
        }
        self._decoder = msgspec.json.Decoder(self.body) if body else None

    async def read(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        """The arguments by name. Raises UnknownRoute, InvalidQuery, InvalidBody and what else a body can be."""
        arguments: dict[str, Any] = {}
        if self.path is not None:
            arguments |= _path(scope["path_params"], self.path)
        if self.query is not None:
            arguments |= self._query(scope["query_string"])
        elif scope["query_string"]:
            raise InvalidQuery("this address takes no query", errors=[])
        if self._decoder is not None:
            check_json(scope)
            arguments[BODY] = decode(await read_body(receive, self._body_bytes_max), self._decoder)
        return arguments

    def _query(self, text: bytes) -> dict[str, Any]:
        given: dict[str, Any] = {}
        try:
            pairs = parse_qsl(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=_FIELDS_MAX)
        except ValueError:
            raise InvalidQuery("the query is not UTF-8, or too long", errors=[]) from None
        for name, value in pairs:
            if name in self._lists:
                given.setdefault(name, []).append(value)
            elif name in given:
                raise _invalid(InvalidQuery, name, "is given more than once")
            else:
                given[name] = value
        try:
            return msgspec.structs.asdict(msgspec.convert(given, self.query, strict=False))
        except msgspec.ValidationError as error:
            raise _invalid(InvalidQuery, *_explained(error)) from None


def _path(given: Mapping[str, Any], shape: Any) -> dict[str, Any]:
    try:
        return msgspec.structs.asdict(msgspec.convert(given, shape, strict=False))
    except msgspec.ValidationError as error:
        field, reason = _explained(error)
        raise UnknownRoute(f"there is nothing at this address: {field} {reason}") from None


def _struct(name: str, parameters: Sequence[Parameter]) -> type[msgspec.Struct] | None:
    if not parameters:
        return None
    fields = [
        (parameter.name, plain(parameter.annotation))
        if parameter.default is Parameter.empty
        else (parameter.name, plain(parameter.annotation), parameter.default)
        for parameter in parameters
    ]
    return msgspec.defstruct(name, fields, kw_only=True, forbid_unknown_fields=True)


def plain(annotation: Any) -> Any:
    """annotation without Litestar's markers, but with msgspec's."""
    if get_origin(annotation) is not Annotated:
        return annotation
    inner, *marks = get_args(annotation)
    for mark in marks:
        if isinstance(mark, Meta):
            inner = Annotated[inner, mark]
    return inner


def _is_list(annotation: Any) -> bool:
    kinds = [annotation, *get_args(annotation)]
    return any(get_origin(kind) in (list, tuple, set, frozenset) or kind in (list, tuple) for kind in kinds)


def check_json(scope: Scope) -> None:
    """Raise WrongContentType unless the body is declared as JSON; a form on another site's page cannot be."""
    declared = next((value for name, value in scope["headers"] if name == b"content-type"), b"")
    if declared.partition(b";")[0].strip().lower() != b"application/json":
        raise WrongContentType("send JSON, with the header Content-Type: application/json")


async def read_body(receive: Receive, bytes_max: int) -> bytes:
    """The whole body, most often one chunk. Raises BodyTooLarge, Gone."""
    chunks: list[bytes] = []
    size, more = 0, True
    while more:
        message: Any = await receive()
        if message["type"] == "http.disconnect":
            raise Gone("the client went away before its request was complete")
        chunks.append(message["body"])
        size += len(message["body"])
        if size > bytes_max:
            raise BodyTooLarge(f"the body is larger than {bytes_max:,} bytes, the most this address takes")
        more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)


def decode(body: bytes, decoder: msgspec.json.Decoder[Any]) -> Any:
    """body as the decoder's type. Raises InvalidBody."""
    if not body:
        raise InvalidBody("a JSON body is needed", errors=[])
    try:
        value = decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _invalid(InvalidBody, *_explained(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidBody(f"the body is not JSON: {error}", errors=[]) from None
    except RecursionError:
        raise InvalidBody("the body is nested too deeply", errors=[]) from None
    if b"\\u0000" in body and _NUL.search(body):
        raise InvalidBody("a text holds the character NUL (\\u0000), which cannot be kept", errors=[])
    return value


def _invalid(kind: type[Refused], field: str, reason: str) -> Refused:
    return kind(f"{field or 'the body'} {reason}", errors=[{"field": field, "reason": reason}])


def _explained(error: msgspec.ValidationError) -> tuple[str, str]:
    """The field, as in items[0].quantity, and what is wrong, in the words of someone who writes JSON."""
    reason, _, path = str(error).partition(" - at `$")
    field = path.rstrip("`").removeprefix(".")
    if match := _MISSING.match(reason):
        return f"{field}.{match[1]}".lstrip("."), "is missing"
    if match := _UNKNOWN.match(reason):
        return f"{field}.{match[1]}".lstrip("."), "is not known here"
    for pattern, words in _WORDS:
        reason = re.sub(pattern, words, reason)
    return field, reason


_MISSING = re.compile(r"Object missing required field `(.+)`")
_UNKNOWN = re.compile(r"Object contains unknown field `(.+)`")
_WORDS = [
    (r"^Invalid RFC3339 encoded datetime$", "must be `datetime`"),
    (r" with a timezone component$", ", with its zone"),
    (r"^(Expected `int.*), got `float`$", r"\1, got a fraction"),
    (r"^Expected (.+), got (.+)$", r"must be \1, not \2"),
    (r"^Expected (.+)$", r"must be \1"),
    (r"^Invalid enum value (.+)$", r"cannot be \1"),
    (r"^Invalid (.+)$", r"is not a valid \1"),
    (r"^(Integer value|Number) out of range$", "is a number out of range"),
    (r"\| (`null`|null)", "or null"),
    (r"`(int|integer)`", "a whole number"),
    (r"`float`", "a number"),
    (r"`str`", "a text"),
    (r"`bool`", "true or false"),
    (r"`array`", "a list"),
    (r"`object`", "an object"),
    (r"`uuid`", "UUID"),
    (r"`datetime`", "a time such as 2026-01-31T08:00:00Z"),
    (r" of length ", " with a length "),
    (r"`", ""),
]
