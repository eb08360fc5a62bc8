"""The demo's time: the machine's clock, moved ahead over the weeks that nobody wants to wait for.

How far it is ahead is kept in the demo's folder, so that the next run goes on where this one ended and nothing in the
database lies in its future.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from fairwind.kernel import ShiftedClock


class Timetable:
    """A clock and the file that remembers how far ahead it is, in seconds."""

    def __init__(self, mark: Path) -> None:
        self._mark = mark
        text = mark.read_text(encoding="utf-8").strip() if mark.exists() else ""
        self.clock = ShiftedClock(timedelta(seconds=int(text or 0)))

    def advance(self, step: timedelta) -> None:
        """Go on by step at once."""
        self.clock.advance(step)
        self._mark.write_text(f"{int(self.clock.ahead.total_seconds())}\n", encoding="utf-8")
