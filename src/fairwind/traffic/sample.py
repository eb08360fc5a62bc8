"""Requests kept with everything that could have been shown, as bytes. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.onshow import Selection


class Sampled(NamedTuple):
    """A request that was kept. body: its candidates, see `packed`."""

    feed_id: UUID
    served_at: datetime
    policy_version: int
    body: bytes
    price_version: int


class Candidates(NamedTuple):
    """What could have been shown. hosts: int32[n], utilities: float32[n], positions: int32[k], the slots' in order."""

    hosts: NDArray[np.int32]
    utilities: NDArray[np.float32]
    positions: NDArray[np.int32]


def packed(selection: Selection) -> bytes:
    """The candidates of a request: a count and a number of slots, then hosts, utilities and positions."""
    positions = selection.ranking.positions.astype("<i4")
    head = np.array([len(selection.hosts), len(positions)], "<i4")
    return b"".join(
        part.tobytes() for part in (head, selection.hosts.astype("<i4"), selection.utilities.astype("<f4"), positions)
    )


def unpacked(body: bytes) -> Candidates:
    """The candidates that were packed."""
    count, slots = np.frombuffer(body, "<i4", 2).tolist()
    hosts = np.frombuffer(body, "<i4", count, 8)
    utilities = np.frombuffer(body, "<f4", count, 8 + 4 * count)
    return Candidates(hosts, utilities, np.frombuffer(body, "<i4", slots, 8 + 8 * count))
