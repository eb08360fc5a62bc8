"""The settings of a frozen struct, each with its unit, range and default. Pure."""

from __future__ import annotations

from typing import get_args, get_type_hints

import msgspec

from fairwind.traffic.policy import Setting


def settings_of(struct: type[msgspec.Struct]) -> tuple[Setting, ...]:
    """Every setting of a struct whose fields are Annotated[kind, Meta], in its order."""
    hints = get_type_hints(struct, include_extras=True)
    found = []
    for field in msgspec.structs.fields(struct):
        kind, meta = get_args(hints[field.name])
        found.append(Setting(field.name, kind, meta, field.default))
    return tuple(found)


def check(struct: msgspec.Struct, settings: tuple[Setting, ...]) -> None:
    """Raise Invalid, which names setting, range and unit, when a value is out of its range."""
    for setting in settings:
        setting.check(getattr(struct, setting.name))
