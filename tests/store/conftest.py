"""Contexts made up for a test."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Plant = Callable[..., None]


@pytest.fixture
def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plant:
    """Put a context where Python finds it as plant.<context>: plant("shelf", schema="…", audit="…")."""

    def plant(context: str, **files: str) -> None:
        package = tmp_path / "plant" / context
        package.mkdir(parents=True, exist_ok=True)
        (package / "__init__.py").touch()
        for name, sql in files.items():
            (package / f"{name}.sql").write_text(sql, encoding="utf-8")

    (tmp_path / "plant").mkdir()
    (tmp_path / "plant" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.partition(".")[0] == "plant"]:
        monkeypatch.delitem(sys.modules, name)
    return plant
