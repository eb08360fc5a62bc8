"""The server's log: a file that cannot grow without bound, and its last lines for error messages."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import IO

_TAIL_LINES = 12


class Log:
    """Writes what the server says to path; at bytes_max the file becomes path.1 and a new one begins."""

    def __init__(self, path: Path, bytes_max: int = 10_000_000) -> None:
        self.path = path
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)
        self._bytes_max = bytes_max

    def follow(self, stream: IO[bytes]) -> None:
        """Write until the stream ends, and close it."""
        with stream:
            for line in stream:
                self.tail.append(line.decode(errors="replace").rstrip())
                # A full disk must not end the reading, for the server would wait for it.
                with suppress(OSError):
                    self._write(line)

    def _write(self, line: bytes) -> None:
        # Statements stand in it, which are nobody else's business.
        with os.fdopen(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(line)
            full = file.tell() >= self._bytes_max
        if full:
            self.path.replace(self.path.with_name(self.path.name + ".1"))
