"""The settings of a frozen struct, each with its unit, range and default. Pure."""

from __future__ import annotations

from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from fairwind.kernel import Invalid


class Setting(msgspec.Struct, frozen=True):
    """One knob, for documents, the API and messages. range: in words. unit: of the value, or empty."""

    name: str
    kind: Any
    meta: Meta
    default: Any

    @property
    def unit(self) -> str:
        return str((self.meta.extra or {}).get("unit", ""))

    @property
    def description(self) -> str:
        return self.meta.description or ""

    @property
    def range(self) -> str:
        meta = self.meta
        if get_origin(self.kind) is Literal:
            return " or ".join(get_args(self.kind))
        if meta.ge is None and meta.gt is None:
            return "three whole numbers that rise"
        low = f"above {meta.gt:g}" if meta.gt is not None else f"from {meta.ge:g}"
        high = f"below {meta.lt:g}" if meta.lt is not None else f"to {meta.le:g}"
        return f"{low} {high}"

    def check(self, value: Any) -> None:
        """Raise Invalid when value is of another kind or out of range."""
        try:
            # A value out of range is told by its setting; what msgspec says of it speaks to programmers.
            msgspec.convert(value, Annotated[self.kind, self.meta])
        except msgspec.ValidationError:
            unit = f" ({self.unit})" if self.unit else ""
            raise Invalid(f"{self.name} must be {self.range}{unit}, not {value!r}") from None


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
