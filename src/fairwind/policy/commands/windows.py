"""Setting categories' after-sales windows."""

from __future__ import annotations

from datetime import datetime

from fairwind.kernel import CategoryId, NotFound, PersonId, Transaction
from fairwind.policy.moments import begins
from fairwind.policy.store import windows as store
from fairwind.policy.store.categories import known_categories
from fairwind.policy.window import Window, WindowDraft, same


async def set_window(
    tx: Transaction, person_id: PersonId, category_id: CategoryId, draft: WindowDraft, now: datetime
) -> Window:
    """Set a category's window from a time on; what was set last is not set again. Raises NotFound, TooSoon, Invalid."""
    if not await known_categories(tx, {category_id}):
        raise NotFound(f"there is no category {category_id}")
    last = await store.last_window(tx, category_id)
    if last is not None and same(draft, last):
        return last
    version = 1 if last is None else last.version + 1
    window = Window(category_id, version, draft.window_s, begins(draft.starts_at, now), now)
    await store.insert_window(tx, window, person_id)
    return window
