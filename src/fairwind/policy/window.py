"""After-sales windows 售后期 of categories, where they differ from the platform's setting. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from fairwind.kernel import CategoryId
from fairwind.policy.moments import Moment

WINDOW_MAX_S = 365 * 86_400


class WindowDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long after receipt goods of a category may come back, in seconds, for orders placed from starts_at on.

    window_s: null takes the category's own window away. starts_at: null for as soon as may be.
    """

    window_s: Annotated[int, Meta(ge=0, le=WINDOW_MAX_S)] | None
    starts_at: Moment | None = None


class Window(msgspec.Struct, frozen=True):
    """A version of a category's window. In force is the highest version that has begun."""

    category_id: CategoryId
    version: int
    window_s: int | None
    starts_at: datetime
    set_at: datetime


def same(draft: WindowDraft, last: Window) -> bool:
    """Whether the draft asks for what was set last."""
    return draft.window_s == last.window_s and (draft.starts_at is None or draft.starts_at == last.starts_at)
