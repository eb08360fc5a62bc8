"""One log line per request, at a hundredth of the cost of the structured logger's: lines gather and are written
together a few times a second. They look like all others (see kernel/logs.py)."""

from __future__ import annotations

import asyncio
import logging
import sys
from datetime import UTC, datetime
from typing import Literal, TextIO

import msgspec

_PAUSE_S = 0.1


class AccessLog:
    """Writes to standard error, where the other logs go; silent above the level info."""

    def __init__(self, form: Literal["text", "json"], out: TextIO | None = None) -> None:
        self._out = out or sys.stderr
        self._format = _json if form == "json" else _text
        self._lines: list[str] = []

    def note(self, request_id: str, client: str, method: str, path: str, status: int, took_s: float) -> None:
        if not logging.root.isEnabledFor(logging.INFO):
            return
        if not self._lines:
            asyncio.get_running_loop().call_later(_PAUSE_S, self.flush)
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        line = Line(at, request_id, client, method, path, status, round(took_s * 1000, 2))
        self._lines.append(self._format(line))

    def flush(self) -> None:
        if self._lines:
            self._out.write("".join(self._lines))
            self._out.flush()
            self._lines.clear()


class Line(msgspec.Struct, tag_field="event", tag="request"):
    """What is logged of a request. The query is not: it may hold what is nobody's business."""

    timestamp: str
    request_id: str
    client: str
    method: str
    path: str
    status: int
    took_ms: float
    level: str = "info"


def _json(line: Line) -> str:
    return msgspec.json.encode(line).decode() + "\n"


def _text(line: Line) -> str:
    path = line.path if line.path.isprintable() else repr(line.path)
    return (
        f"{line.timestamp} [info     ] {line.method} {path} {line.status} {line.took_ms} ms"
        f" client={line.client} request_id={line.request_id}\n"
    )
