"""What this server serves by: the policy, the prices and the hosts that it knows of. Replaced whole, never changed."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.allocator import Allocator
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.prices import PriceSnapshot, unpriced
from fairwind.traffic.publishing import Published


class Serving:
    """Prices until the first come are those of nobody: pure utility."""

    def __init__(self) -> None:
        self.allocator = Allocator(TrafficPolicy(), unpriced(0))
        self.policy = TrafficPolicy()
        self.policy_version = 1
        self.term = -1
        self._showing: frozenset[int] = frozenset()
        self.knows_who_shows = False

    @property
    def snapshot(self) -> PriceSnapshot:
        return self.allocator.snapshot

    @property
    def price_version(self) -> int:
        return self.snapshot.version if self.term >= 0 else -1

    def serve_by(self, published: Published, snapshot: PriceSnapshot, term: int) -> None:
        """Serve by these from now on."""
        if published.version != self.policy_version:
            self.policy, self.policy_version = published.policy, published.version
            self.allocator = Allocator(self.policy, snapshot)
        else:
            self.allocator.publish(snapshot)
        self.term = term

    def show(self, host_nos: Collection[int]) -> None:
        """These hosts have something to show now."""
        self._showing = frozenset(host_nos)
        self.knows_who_shows = True

    def active(self, hosts: int) -> NDArray[np.bool_]:
        """bool[hosts]: who has something to show."""
        active = np.zeros(hosts, np.bool_)
        active[[no for no in self._showing if no < hosts]] = True
        return active
