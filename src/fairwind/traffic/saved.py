"""The leader's state and its prices as bytes, for the database between them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairwind.traffic.leader import Leader
from fairwind.traffic.policy import TrafficPolicy
from fairwind.traffic.prices import PriceSnapshot

_ARRAYS = ("price", "welfare", "floor", "stage", "cap")


def leader_saved(leader: Leader) -> bytes:
    """All that the leader knows."""
    return _packed(leader.arrays())


def leader_restored(policy: TrafficPolicy, body: bytes, hosts: int) -> Leader:
    """The leader that body was saved of, under a policy and with the hosts that have come since."""
    return Leader.restored(policy, _unpacked(body), hosts)


def prices_saved(snapshot: PriceSnapshot) -> bytes:
    """Prices, as they are published."""
    arrays = {name: getattr(snapshot, name) for name in _ARRAYS}
    return _packed(arrays | {"rest": np.array([snapshot.version, snapshot.at_s, snapshot.per_utility])})


def prices_read(body: bytes) -> PriceSnapshot:
    """Prices that were published; read-only, as they were."""
    arrays = dict(_unpacked(body))
    version, at_s, per_utility = arrays.pop("rest").tolist()
    for each in arrays.values():
        each.flags.writeable = False
    return PriceSnapshot(**arrays, version=int(version), at_s=at_s, per_utility=bool(per_utility))


def _packed(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    body = BytesIO()
    np.savez_compressed(body, allow_pickle=False, **arrays)
    return body.getvalue()


def _unpacked(body: bytes) -> Mapping[str, NDArray[Any]]:
    with np.load(BytesIO(body), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
