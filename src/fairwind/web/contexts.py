"""The contexts of this installation, lower layers first. A new context is added here and nowhere else."""

from __future__ import annotations

from importlib import import_module

from fairwind.kernel import Platform, Wiring

CONTEXTS = (
    "identity",
    "ledger",
    "catalog",
    "inventory",
    "payments",
    "content",
    "alliance",
    "policy",
    "orders",
    "settlement",
    "traffic",
)

PACKAGES = ("fairwind.kernel", *(f"fairwind.{name}" for name in CONTEXTS))
"""The packages with tables, for `kernel.schema.upgrade`."""


def wire_all(platform: Platform) -> dict[str, Wiring]:
    """Each context's wiring, by its name; what one provides is there for those above it."""
    wirings = {}
    for name in CONTEXTS:
        wirings[name] = import_module(f"fairwind.{name}").wire(platform)
        platform.provided.update(wirings[name].provides)
    return wirings
