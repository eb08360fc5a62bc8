"""Whose process the server is. PostgreSQL refuses to run as root, so root lends it a system account."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fairwind.kernel.postgres.trouble import trouble

_NAME = "fairwind"
_LAST_RESORT = "nobody"
_TRIES = 5
_PAUSE_S = 0.2


@dataclass(frozen=True)
class Account:
    """A user of this machine."""

    name: str
    uid: int
    gid: int


def own_account() -> Account:
    """The account that runs this process."""
    return _with_id(os.geteuid())


def server_account(cluster: Path, report: Callable[[str], None]) -> Account:
    """The account for the server of cluster: one's own, or for root whoever owns it, a new one the system account."""
    if os.geteuid() != 0:
        return own_account()
    if not cluster.exists():
        return _named(_NAME) or _create(report)
    owner = _with_id(cluster.stat().st_uid)
    if owner.uid == 0:
        raise trouble(
            f"{cluster} belongs to root, and PostgreSQL refuses to run as root. "
            f"Give it back: chown -R {_NAME} {cluster}"
        )
    return owner


def obstacle(path: Path, account: Account | None) -> Path | None:
    """The first part of path that account may not pass through; None when it may. No account: any but the owners.

    Of one's own account nothing is asked: it may pass through groups and lists that are not looked at here.
    """
    if account and account.uid == os.geteuid():
        return None
    for part in (*reversed(path.parents), path):
        if not part.exists():
            return None
        if not _may_pass(part.stat(), account):
            return part
    return None


def _may_pass(status: os.stat_result, account: Account | None) -> bool:
    if account and status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if account and status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)


def _named(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _with_id(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise trouble(
            f"User id {uid} has no name on this machine (in /etc/passwd), and PostgreSQL does not run without one. "
            "Give it a name, or the data folder to a user who has one."
        ) from None
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create(report: Callable[[str], None]) -> Account:
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    for _ in range(_TRIES if useradd else 0):
        done = subprocess.run(  # noqa: S603
            [str(useradd), "--system", "--no-create-home", "--home-dir", "/", "--shell", "/usr/sbin/nologin", _NAME],
            capture_output=True,
            text=True,
            check=False,
        )
        if account := _named(_NAME):
            report(f"PostgreSQL does not run as root: it runs as the system account {_NAME}, made for it")
            return account
        report(f"useradd {_NAME}: {done.stderr.strip()}")
        time.sleep(_PAUSE_S)  # another process may hold the lock on /etc/passwd
    account = _named(_LAST_RESORT)
    if account is None:
        raise trouble(f"PostgreSQL does not run as root, and no account could be made for it. Run: useradd {_NAME}")
    report(f"PostgreSQL does not run as root: it runs as {account.name}. `useradd {_NAME}` would keep it apart")
    return account
