"""A cluster is PostgreSQL's data directory: making one, checking one, and changing one whose server is not running."""

from __future__ import annotations

import os
import secrets
import shutil

from fairwind.kernel.postgres.account import Account
from fairwind.kernel.postgres.binaries import Binaries
from fairwind.kernel.postgres.folder import DataFolder, make_private, write
from fairwind.kernel.postgres.processes import run_tool
from fairwind.kernel.postgres.trouble import trouble

OWNER = DATABASE = "fairwind"
"""The database, and the role that owns everything in it."""

# The provider is PostgreSQL's own, so that a new C library never changes an index's order; the locale of C.UTF-8
# beside it lets pg_trgm see letters beyond ASCII.
_LOCALE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
# The rules that count are written at each start; these are for whoever starts the cluster by hand.
_CLOSED = ("--auth-local=peer", "--auth-host=reject")


def create_cluster(folder: DataFolder, binaries: Binaries, account: Account) -> None:
    """Make a new cluster with an empty database. It gets its name when complete, so an interruption leaves none."""
    part = folder.path / "postgres.part"
    shutil.rmtree(part, ignore_errors=True)
    make_private(part, account)
    initdb = (binaries.program("initdb"), "-D", part, f"--username={OWNER}", "--data-checksums", "--no-instructions")
    run_tool((*initdb, *_LOCALE, *_CLOSED), account)
    _alone(f"CREATE DATABASE {DATABASE};\n", part, binaries, account)
    part.rename(folder.cluster)
    _sync(folder.path)


def check_cluster(folder: DataFolder, binaries: Binaries) -> None:
    """DataFolderError unless the folder's cluster is one that binaries can run."""
    try:
        major = (folder.cluster / "PG_VERSION").read_text(encoding="ascii").strip()
    except FileNotFoundError:
        raise trouble(
            f"{folder.cluster} is not a database of Fairwind.", ["PG_VERSION is missing or invalid"]
        ) from None
    if major != binaries.major:
        raise trouble(
            f"The data folder {folder.path} was made by PostgreSQL {major}; this Fairwind carries {binaries.major}. "
            "Start the Fairwind that made it and move the data with pg_dump, or name another folder with FAIRWIND_DATA."
        )


def set_password(folder: DataFolder, binaries: Binaries, account: Account) -> str:
    """Give the owner the folder's password, made when there is none yet; answers it."""
    if not folder.password.exists():
        write(folder.password, secrets.token_urlsafe(32), 0o600)
    password = folder.password.read_text(encoding="ascii")
    _alone(f"ALTER ROLE {OWNER} PASSWORD '{password}';\n", folder.cluster, binaries, account)
    return password


def _alone(sql: str, cluster: os.PathLike[str], binaries: Binaries, account: Account) -> None:
    """Run a statement in a cluster whose server is not running."""
    single = (binaries.program("postgres"), "--single", "-D", os.fspath(cluster), "-c", "exit_on_error=on", "postgres")
    run_tool(single, account, sql)


def _sync(directory: os.PathLike[str]) -> None:
    """Make a rename in directory last."""
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
