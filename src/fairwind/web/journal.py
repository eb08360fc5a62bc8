"""What each request leaves behind: a line in the log and an observation in the metrics.

Requests only append to a list; a few times a second all are written together. One by one through the structured logger
they cost 90 µs each, and this way 4. The lines look like all others (see kernel/logs.py).
"""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime
from time import time
from typing import Any, Literal, NamedTuple, TextIO

import msgspec

from fairwind.kernel import metrics

_PAUSE_S = 0.1


class Entry(NamedTuple):
    """One answered request. route: its pattern, for the metrics; path: as it was, for the log, without the query."""

    at_s: float
    request_id: str
    client: str
    method: str
    route: str
    path: str
    status: int
    took_s: float


class Journal:
    """Logs to standard error, where the other logs go, unless the level is above info."""

    def __init__(self, form: Literal["text", "json"], out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._format = _json if form == "json" else _text
        self._entries: list[Entry] = []
        self._observe: dict[tuple[str, str, int], Any] = {}

    def note(
        self, request_id: str, client: str, method: str, route: str, path: str, status: int, took_s: float
    ) -> None:
        if not self._entries:
            asyncio.get_running_loop().call_later(_PAUSE_S, self.write)
        self._entries.append(Entry(time(), request_id, client, method, route, path, status, took_s))

    def write(self) -> None:
        """Write down what was noted."""
        entries, self._entries = self._entries, []
        for entry in entries:
            self._histogram(entry)(entry.took_s)
        if entries and logging.root.isEnabledFor(logging.INFO):
            self._out.write("".join(map(self._format, entries)))
            self._out.flush()

    def _histogram(self, entry: Entry) -> Any:
        key = (entry.method, entry.route, entry.status)
        observe = self._observe.get(key)
        if observe is None:
            labels = (entry.method, entry.route, str(entry.status))
            observe = self._observe[key] = metrics.REQUEST_S.labels(*labels).observe
        return observe


def _json(entry: Entry) -> str:
    line = {
        "event": "request",
        "level": "info",
        "timestamp": _time(entry.at_s),
        "request_id": entry.request_id,
        "client": entry.client,
        "method": entry.method,
        "path": entry.path,
        "status": entry.status,
        "took_ms": round(entry.took_s * 1000, 2),
    }
    return msgspec.json.encode(line).decode() + "\n"


def _text(entry: Entry) -> str:
    path = entry.path if entry.path.isprintable() else repr(entry.path)
    return (
        f"{_time(entry.at_s)} [info     ] {entry.method} {path} {entry.status} {entry.took_s * 1000:.1f} ms"
        f" client={entry.client} request_id={entry.request_id}\n"
    )


def _time(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).isoformat().replace("+00:00", "Z")
