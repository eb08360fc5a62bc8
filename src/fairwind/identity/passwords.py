"""Hashing passwords with argon2id, off the event loop, a few at a time.

One hash takes some 20 ms and 19 MiB on purpose. The threads and the queue in front of them are bounded, so that a
crowd at the door slows down itself and not the sale.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from fairwind.kernel import Busy

_HASHER = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
"""OWASP's first choice for argon2id."""
_THREADS = 2
_WAITING_MAX = 100


def hash_password(password: str) -> str:
    """For the command line and batches; a server hashes through `Passwords`."""
    return _HASHER.hash(password)


class Passwords:
    """The hashing threads of a server."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="argon2")
        self._waiting = 0
        self._nobodys = hash_password(secrets.token_hex(16))

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, taken before anything else is done; raises Busy when there is none."""
        if self._waiting >= _WAITING_MAX:
            raise Busy("too many people are signing in or up; try again in a second")
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    async def hash(self, password: str) -> str:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _HASHER.hash, password)

    async def fits(self, password: str, password_hash: str | None) -> bool:
        """Whether password_hash is of password; as slow for None, so that time tells nobody which logins exist."""
        checked = await asyncio.get_running_loop().run_in_executor(
            self._threads, _fits, password, password_hash or self._nobodys
        )
        return checked and password_hash is not None

    def is_dated(self, password_hash: str) -> bool:
        """Whether it was made with other parameters than today's."""
        return _HASHER.check_needs_rehash(password_hash)


def _fits(password: str, password_hash: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False
