"""Policy 平台政策: what the platform asks for a sale, and what it and others add to a buyer's price."""

from fairwind.kernel import Platform, Wiring

__all__ = ["wire"]


def wire(_: Platform) -> Wiring:
    return Wiring()
