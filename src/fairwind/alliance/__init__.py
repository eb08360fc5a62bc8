"""The alliance 联盟: commission plans, who picks and shows what, and which creator a sale is owed to."""

from fairwind.kernel import Platform, Wiring

__all__ = ["wire"]


def wire(_: Platform) -> Wiring:
    return Wiring()
