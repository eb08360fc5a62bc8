"""What fails for one and must not hold up the others."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from fairwind.kernel.database import Unavailable

log = structlog.get_logger(__name__)


@asynccontextmanager
async def isolated(event: str, **about: object) -> AsyncIterator[None]:
    """Log what fails inside as an error named `event`: a sweep goes on with the next shop, and this one has its turn.

    A database that cannot be reached fails for everybody: that is raised.
    """
    try:
        yield
    except Unavailable:
        raise
    except Exception:
        log.exception(event, **about)
