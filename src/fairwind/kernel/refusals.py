"""Refusals: the answers that say no, each with a stable code and a sentence that says what to do.

A command returns refusals item by item, so that one item's failure never fails its neighbours; a shell that handles one
item raises them. The HTTP app maps them once to problem+json. A refusal has changed nothing; only after Unavailable is
that unknown.
"""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar

T = TypeVar("T")


class Refused(Exception):  # noqa: N818  a refusal is an answer, not an error
    """Base of all refusals.

    code: stable, snake_case, part of the API. status: its HTTP status. more: further members of the problem document.
    """

    code: ClassVar[str] = "refused"
    status: ClassVar[int] = 409

    def __init__(self, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.detail = detail
        self.more = more

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), self.detail))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.detail!r})"


class Invalid(Refused):
    """The input is well-formed but makes no sense; the detail names the field."""

    code = "invalid"
    status = 422


class NotFound(Refused):
    """There is no such thing, or the caller may not know of it."""

    code = "not_found"
    status = 404


class Forbidden(Refused):
    """The caller is known and may not do this."""

    code = "forbidden"
    status = 403


class SignInNeeded(Refused):
    """The caller is not known."""

    code = "sign_in_needed"
    status = 401


class IdReused(Refused):
    """The client's id was used before with other content."""

    code = "id_reused"
    status = 409


class Busy(Refused):
    """The queue is full; retry_after_s says when to come again."""

    code = "busy"
    status = 429

    def __init__(self, detail: str, retry_after_s: int = 1) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class Unavailable(Refused):
    """The database did not answer. Whether the change was made is unknown: ask again with the same id."""

    code = "unavailable"
    status = 503


class Stopping(Refused):
    """The server is shutting down and takes nothing new."""

    code = "stopping"
    status = 503


def accepted(outcome: T | Refused) -> T:
    """The outcome of one item, raised when it is a refusal."""
    if isinstance(outcome, Refused):
        raise outcome
    return outcome
