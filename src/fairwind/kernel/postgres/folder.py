"""The data folder: where it is, what lies in it, and who may use it."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fairwind.kernel.postgres.account import Account, obstacle
from fairwind.kernel.postgres.trouble import DataFolderError, trouble

_OF_THE_SYSTEM = Path("/var/lib/fairwind")


def default_data_folder() -> Path:
    """$XDG_DATA_HOME/fairwind or ~/.local/share/fairwind; for a root whose home is closed to others /var/lib/fairwind.

    The server of root runs under another account, which has to reach the folder.
    """
    base = Path(os.environ.get("XDG_DATA_HOME", ""))
    if not base.is_absolute():
        base = Path.home() / ".local" / "share"
    folder = (base / "fairwind").resolve()
    if os.geteuid() == 0 and obstacle(folder.parent, None):
        return _OF_THE_SYSTEM
    return folder


@dataclass(frozen=True)
class DataFolder:
    """The places in a data folder. All but cluster and run belong to whoever starts Fairwind."""

    path: Path

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def cluster(self) -> Path:
        """PostgreSQL's data directory."""
        return self.path / "postgres"

    @property
    def run(self) -> Path:
        """Holds the socket; closed to everyone else."""
        return self.path / "postgres-run"

    @property
    def configuration(self) -> Path:
        return self.path / "postgres-etc"

    @property
    def log(self) -> Path:
        return self.path / "postgres.log"

    @property
    def password(self) -> Path:
        """Only where no socket fits."""
        return self.path / "postgres-password"

    def make(self) -> None:
        """Create the folder when it is missing. Root is kept out of other people's folders."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = self.path.stat().st_uid
        if os.geteuid() == 0 and owner != 0:
            raise trouble(
                f"The data folder {self.path} belongs to user id {owner}, but root is starting Fairwind. "
                "Start it as that user (sudo -u), or name a folder of root's with FAIRWIND_DATA."
            )

    def open_to(self, account: Account) -> None:
        """Let account reach what is its own in the folder; what lies above the folder is only looked at."""
        if blocked := obstacle(self.path.parent, account):
            raise trouble(
                f"PostgreSQL runs as {account.name}, who may not pass through {blocked} to the data folder "
                f"{self.path}. Name one elsewhere with FAIRWIND_DATA, such as {_OF_THE_SYSTEM}, or allow it: "
                f"chmod o+x {blocked}"
            )
        if obstacle(self.path, account):
            self.path.chmod(self.path.stat().st_mode | 0o011)


def make_private(folder: Path, account: Account) -> None:
    """A folder that only account (and root) can enter."""
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    if account.uid != os.geteuid():
        os.chown(folder, account.uid, account.gid)


def write(path: Path, text: str, mode: int) -> None:
    """Write a file with these permissions from its first byte on."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        os.fchmod(file.fileno(), mode)
        file.write(text)


def take(folder: DataFolder) -> IO[str]:
    """Take the folder for this process, until the answer is closed or the process ends, however it ends."""
    # Not inherited by the server: Python closes what it opens in the programs that it starts.
    file = os.fdopen(os.open(folder.lock, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="ascii")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _taken(folder, file.read().strip()) from None
    file.truncate(0)
    file.write(f"{os.getpid()}\n")
    file.flush()
    return file


def _taken(folder: DataFolder, pid: str) -> DataFolderError:
    user = "another process" if not pid else f"process {pid}"
    stop = "Stop it first" if not pid else f"Stop it first (kill {pid})"
    return DataFolderError(
        f"The data folder {folder.path} is in use by {user}. {stop}, or name another folder with FAIRWIND_DATA."
    )
