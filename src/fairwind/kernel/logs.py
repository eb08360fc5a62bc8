"""Structured logs with a request id, to standard error. Secrets never reach them: see HIDDEN and _PASSWORD."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal

import structlog

HIDDEN = ("password", "cookie", "authorization", "secret", "token", "signature", "database_url")
"""A field whose name contains one of these, at any depth, is written as [hidden]."""
_PASSWORD = re.compile(r"""(://[^\s:/@]*:)[^\s/]+(?=@)|(\bpassword=)(?:'[^']*'|[^\s&'"]+)""")
"""The password of an address, wherever it stands: most often in the message of an exception."""


def set_up(level: str, form: Literal["text", "json"]) -> None:
    """Log at level and above as text for people or one JSON object per line for machines."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _hide,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        # Its own tracebacks would print every local variable, passwords included.
        else structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer, _without_passwords],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    for noisy in ("httpx", "httpcore", "psycopg.pool"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    # It warns of every pipeline that an error ended; the error itself is raised and dealt with.
    logging.getLogger("psycopg").setLevel(max(logging.ERROR, root.level))


def _hide(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {name: _shown(name, value) for name, value in event.items()}


def _shown(name: object, value: Any) -> Any:
    if isinstance(name, str) and any(word in name.lower() for word in HIDDEN):
        return "[hidden]"
    if isinstance(value, Mapping):
        return {inner: _shown(inner, each) for inner, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(None, each) for each in value]
    return value


def _without_passwords(_: Any, __: str, line: Any) -> str:
    return _PASSWORD.sub(lambda found: f"{found[1] or found[2]}[hidden]", line)
