"""Secrets of the installation, made once and shared by all its servers through the database."""

from __future__ import annotations

import os

from fairwind.kernel.database import Transaction


async def secret(tx: Transaction, name: str) -> bytes:
    """The 32-byte secret called name; made on first use, the same for everyone after."""
    await tx.execute(
        "INSERT INTO kernel.secret (name, value) VALUES (%s, %s) ON CONFLICT (name) DO NOTHING",
        (name, os.urandom(32)),
    )
    row = await tx.row("SELECT value FROM kernel.secret WHERE name = %s", (name,))
    assert row is not None
    return bytes(row.value)
