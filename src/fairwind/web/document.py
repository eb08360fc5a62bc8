"""The OpenAPI 3.1 document, made from the handlers: what they take and answer as msgspec reads and writes it, every
refusal with its code, and who may call them.

A route tells through its `opt`: `access` (who may call it), `refusals` (the refusals of its own; those that any route
of its kind can give are added here), and where it differs from the usual `statuses` (further statuses of a good answer,
such as 200 beside 201) and `body` (the media type of a body that is not JSON).
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from types import NoneType
from typing import Any, get_args, get_origin

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from fairwind.identity import SESSION_COOKIE, Access
from fairwind.kernel import Busy, Forbidden, Refused, SignInNeeded, Stopping, Unavailable
from fairwind.kernel.pages import BIGINT_MAX, BadCursor, Page
from fairwind.web.binding import ANSWER, INPUTS
from fairwind.web.door import SAFE_METHODS, CrossOrigin
from fairwind.web.inputs import Gone, Inputs, InvalidBody, InvalidQuery, WrongContentType
from fairwind.web.problems import MEDIA_TYPE, BadRequest, BodyTooLarge, Internal, UnknownRoute

_ANY: list[type[Refused]] = [BadRequest, InvalidQuery, Busy, Unavailable, Stopping, Internal]
_ANY_BODY: list[type[Refused]] = [InvalidBody, WrongContentType, BodyTooLarge, Gone]
_OPEN = {Access.PUBLIC, Access.PROVIDER}
_REF = "#/components/schemas/{name}"
_PROBLEM = {
    "type": "object",
    "description": "Why a request was refused (RFC 9457). `code` is stable; some codes come with members of their own.",
    "required": ["type", "title", "status", "detail", "code", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "What is wrong and what to do"},
        "code": {"type": "string"},
        "request_id": {"type": "string", "description": "Names this request in the server's log"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["field", "reason"],
                "properties": {"field": {"type": "string"}, "reason": {"type": "string"}},
            },
        },
        "retry_after_s": {"type": "integer", "minimum": 0},
    },
}
_PAGE = {"type": "object", "title": "Page", "required": ["items", "next_cursor"]}
_NEXT_CURSOR = {"type": ["string", "null"], "description": "null on the last page"}
_REQUEST_ID = {"X-Request-Id": {"$ref": "#/components/headers/X-Request-Id"}}


def document(
    handlers: Mapping[str, Sequence[HTTPRouteHandler]], about: Mapping[str, str], version: str
) -> dict[str, Any]:
    """handlers: bound, by their context. about: what each context is, in a sentence."""
    operations = [
        Operation(context, handler)
        for context, those in handlers.items()
        for handler in those
        if handler.include_in_schema is not False
    ]
    ids = [operation.id for operation in operations]
    assert len(ids) == len(set(ids)), f"handlers of one context need different names: {sorted(ids)}"
    schemas = _Schemas(operations)
    paths: dict[str, Any] = {}
    for operation in operations:
        for path in sorted(operation.handler.paths):
            for method in sorted(operation.handler.http_methods):
                methods = paths.setdefault(re.sub(r":\w+}", "}", path), {})
                methods[str(getattr(method, "value", method)).lower()] = operation.shown(schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Fairwind",
            "version": version,
            "summary": "Live commerce with a creator alliance 直播电商与达人联盟",
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": context, "description": about[context]} for context, those in handlers.items() if those],
        "paths": paths,
        "components": {
            "schemas": {**schemas.components, "Problem": _PROBLEM},
            "responses": {name: problem for operation in operations for name, problem in operation.problems.items()},
            "headers": {
                "X-Request-Id": {
                    "description": "Names this request in the server's log",
                    "schema": {"type": "string"},
                }
            },
            "securitySchemes": {
                "session": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": SESSION_COOKIE,
                    "description": "Set by `POST /sessions` and `POST /people`",
                }
            },
        },
    }


_ABOUT = """\
Amounts are whole numbers of fen (1 yuan = 100 fen) and end in `_fen`; rates are parts per million and end in `_ppm`.

Sign up (`POST /people`) or in (`POST /sessions`); the answer sets a session cookie. `x-access` says who may call an
operation.

Ids of orders, payments and refunds are UUIDv7s of the client's making and serve as idempotency keys: the same id with
the same content answers the same, with other content is refused (`id_reused`).

Lists come in pages: hand `next_cursor` back as `cursor` until it is null.

Refusals are problem documents (RFC 9457) with a stable `code`. A refusal has changed nothing; after 429 and 503 come
again when `Retry-After` says.
"""


class Operation:
    """One handler as the document shows it."""

    def __init__(self, context: str, handler: HTTPRouteHandler) -> None:
        self.handler = handler
        self.context = context
        self.id = f"{context}_{handler.handler_name}"
        self.inputs: Inputs = handler.opt[INPUTS]
        self.access: Access = handler.opt["access"]
        self.answer = _answer(handler.opt[ANSWER])
        self.problems = self._problems()

    @property
    def types(self) -> list[Any]:
        """What the components must describe."""
        answer = get_args(self.answer)[0] if get_origin(self.answer) is Page else self.answer
        return [each for each in (self.inputs.path, self.inputs.query, self.inputs.body, answer) if each is not None]

    def shown(self, schemas: _Schemas) -> dict[str, Any]:
        summary, _, more = inspect.cleandoc(self.handler.fn.__doc__ or "").partition("\n\n")
        shown: dict[str, Any] = {
            "operationId": self.id,
            "tags": [self.context],
            "summary": summary.partition(". ")[0].replace("\n", " ").rstrip("."),
            "description": "\n\n".join(filter(None, [summary, more, f"Who may call it: {_WHO[self.access]}."])),
            "x-access": self.access.value,
            "security": [] if self.access in _OPEN else [{"session": []}],
            "parameters": [
                *schemas.parameters("path", self.inputs.path),
                *schemas.parameters("query", self.inputs.query),
            ],
            "responses": {
                **self._good(schemas),
                **{name[:3]: {"$ref": f"#/components/responses/{name}"} for name in sorted(self.problems)},
            },
        }
        if self.inputs.body is not None:
            content = {"application/json": {"schema": schemas.of(self.inputs.body)}}
            shown["requestBody"] = {"required": True, "content": content}
        elif media_type := self.handler.opt.get("body"):
            shown["requestBody"] = {"required": True, "content": {media_type: {"schema": {"type": "string"}}}}
        return shown

    def _good(self, schemas: _Schemas) -> dict[str, Any]:
        good: dict[str, Any] = {}
        for status in (self.handler.status_code, *self.handler.opt.get("statuses", ())):
            good[str(status)] = {"description": HTTPStatus(status).phrase, "headers": _REQUEST_ID}
            if self.answer is not None:
                good[str(status)]["content"] = {"application/json": {"schema": schemas.of(self.answer)}}
            elif status != HTTPStatus.NO_CONTENT and not 300 <= status < 400:
                media_type = getattr(self.handler.media_type, "value", self.handler.media_type)
                good[str(status)]["content"] = {media_type: {"schema": {"type": "string"}}}
        return good

    def _problems(self) -> dict[str, Any]:
        """The bad answers, by names such as 429.busy.too_many_attempts: one for each status."""
        by_status: dict[int, dict[str, type[Refused]]] = {}
        for refusal in (*self._common(), *self.handler.opt.get("refusals", ())):
            by_status.setdefault(refusal.status, {})[refusal.code] = refusal
        return {".".join([str(status), *those]): _problem(list(those.values())) for status, those in by_status.items()}

    def _common(self) -> Iterable[type[Refused]]:
        yield from _ANY
        if self.inputs.path is not None:
            yield UnknownRoute
        if self.inputs.query is not None and "cursor" in self.inputs.query.__struct_fields__:
            yield BadCursor
        if self.inputs.body is not None or "body" in self.handler.opt:
            yield from _ANY_BODY
        if self.access not in _OPEN:
            yield SignInNeeded
        if self.access not in {*_OPEN, Access.SIGNED_IN}:
            yield Forbidden
        if not SAFE_METHODS.issuperset(self.handler.http_methods):
            yield CrossOrigin


_WHO = {
    Access.PUBLIC: "anyone",
    Access.SIGNED_IN: "anyone who is signed in",
    Access.BUYER: "buyers",
    Access.CREATOR: "creators",
    Access.MERCHANT: "merchants",
    Access.AGENCY: "agencies",
    Access.OPERATOR: "operators",
    Access.SHOP_MEMBER: "members of the shop, and operators",
    Access.PROVIDER: "the payment provider, by its signature",
}


def _answer(annotation: Any) -> Any:
    """The type of a JSON answer; None for an empty one and for one that is not JSON."""
    if annotation in (None, NoneType):
        return None
    kind = get_origin(annotation) or annotation
    if not (inspect.isclass(kind) and issubclass(kind, Response)):
        return annotation
    inner = get_args(annotation)
    return None if not inner or inner[0] in (NoneType, bytes, str, Any) else inner[0]


def _problem(refusals: Sequence[type[Refused]]) -> dict[str, Any]:
    codes = [refusal.code for refusal in refusals]
    schema = {"allOf": [{"$ref": _REF.format(name="Problem")}, {"properties": {"code": {"enum": codes}}}]}
    return {
        "description": "\n".join(f"- `{refusal.code}`: {_first_line(refusal)}" for refusal in refusals),
        "headers": _REQUEST_ID,
        "content": {
            MEDIA_TYPE: {
                "schema": schema,
                "examples": {refusal.code: {"value": _example(refusal)} for refusal in refusals},
            }
        },
    }


def _first_line(refusal: type[Refused]) -> str:
    return inspect.cleandoc(refusal.__doc__ or "").partition("\n\n")[0].replace("\n", " ")


def _example(refusal: type[Refused]) -> dict[str, Any]:
    return {
        "type": f"urn:fairwind:problem:{refusal.code}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": _first_line(refusal),
        "code": refusal.code,
        "request_id": "5f3c9a1b2d-00002a",
    }


class _Schemas:
    """JSON Schemas of all types that the operations name. Those of paths and queries are cut up into parameters."""

    def __init__(self, operations: Sequence[Operation]) -> None:
        types = list({id(each): each for operation in operations for each in operation.types}.values())
        found, components = msgspec.json.schema_components(types, ref_template=_REF)
        self._of = {id(each): schema for each, schema in zip(types, found, strict=True)}
        cut = {
            self._of[id(each)]["$ref"].rpartition("/")[2]
            for operation in operations
            for each in (operation.inputs.path, operation.inputs.query)
            if each is not None
        }
        self._all = components
        self.components = {name: schema for name, schema in sorted(components.items()) if name not in cut}

    def of(self, annotation: Any) -> dict[str, Any]:
        if get_origin(annotation) is Page:  # msgspec mixes up pages of two types with one name
            items = {"type": "array", "items": self.of(get_args(annotation)[0])}
            return _PAGE | {"properties": {"items": items, "next_cursor": _NEXT_CURSOR}}
        schema: dict[str, Any] = self._of[id(annotation)]
        return schema

    def parameters(self, place: str, struct: type[msgspec.Struct] | None) -> list[dict[str, Any]]:
        if struct is None:
            return []
        schema = self._all[self._of[id(struct)]["$ref"].rpartition("/")[2]]
        return [
            {
                "name": name,
                "in": place,
                "required": name in schema.get("required", ()),
                **({"description": each["description"]} if "description" in each else {}),
                "schema": _as_text(each, place),
            }
            for name, each in schema["properties"].items()
        ]


def _as_text(schema: dict[str, Any], place: str) -> dict[str, Any]:
    """What can stand in an address: there is no null in one, and an id in a path is a positive bigint."""
    schema = {name: value for name, value in schema.items() if name != "description"}
    if place == "path":
        bounds = {"minimum": 1, "maximum": BIGINT_MAX} if schema.get("type") == "integer" else {}
        return bounds | schema
    if schema.get("default", ...) is None:
        del schema["default"]
    kinds: list[dict[str, Any]] = [kind for kind in schema.pop("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        return kinds[0] | schema
    return schema | ({"anyOf": kinds} if kinds else {})
