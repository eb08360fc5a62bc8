"""Versions of the traffic policy: published by operators, never edited, brought back by publishing them again. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from msgspec import Meta

from fairwind.kernel import PersonId
from fairwind.traffic.policy import SETTINGS, TrafficPolicy, policy_of

Settings = dict[str, Any]
"""Values of a policy's settings that differ from the defaults."""


class PolicyDraft(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A policy to try out or to publish. settings: by name; those left out have their defaults. note: why."""

    settings: Settings
    note: Annotated[str, Meta(max_length=500, examples=["新主播保底提高到 0.15"])] = ""


class PolicyVersion(msgspec.Struct, frozen=True):
    """A policy that was published, as everybody sees it. settings: all of them, by name."""

    version: int
    settings: Settings
    note: str
    published_at: datetime


class Published(msgspec.Struct, frozen=True):
    """A version as it is kept. request_id: of the request that published it."""

    version: int
    request_id: UUID | None
    settings: Settings
    note: str
    published_by: PersonId | None
    published_at: datetime

    @property
    def policy(self) -> TrafficPolicy:
        return policy_of(self.settings)

    def view(self) -> PolicyVersion:
        settings = {setting.name: getattr(self.policy, setting.name) for setting in SETTINGS}
        return PolicyVersion(self.version, settings, self.note, self.published_at)


class SettingView(msgspec.Struct, frozen=True):
    """A setting of the policy, for whoever wants to know what can be set."""

    name: str
    description: str
    unit: str
    range: str
    default: Any


def settings() -> list[SettingView]:
    """All settings of the policy."""
    return [
        SettingView(setting.name, setting.description, setting.unit, setting.range, setting.default)
        for setting in SETTINGS
    ]


def changed(draft: PolicyDraft) -> Settings:
    """What of draft differs from the defaults, as JSON keeps it. Raises Invalid for what a policy cannot take."""
    policy = policy_of(draft.settings)
    return {
        setting.name: list(value) if isinstance(value, tuple) else value
        for setting in SETTINGS
        if (value := getattr(policy, setting.name)) != setting.default
    }
