"""What is said in both languages of the platform. Pure."""

from __future__ import annotations

from typing import Literal

import msgspec

Language = Literal["zh", "en"]


class Words(msgspec.Struct, frozen=True):
    """The same in English and Chinese."""

    en: str
    zh: str

    def __getitem__(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en
