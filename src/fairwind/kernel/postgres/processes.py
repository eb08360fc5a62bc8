"""PostgreSQL's processes: starting them under an account, finding those of a cluster, and ending them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from fairwind.kernel.postgres import launch
from fairwind.kernel.postgres.account import Account
from fairwind.kernel.postgres.trouble import trouble

# Nothing of the caller's environment changes what the server does. TZ spares initdb a search through all time zones.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

_TOOL_S_MAX = 300
_POLL_S = 0.02
# How a server is ended: cleanly, then at once (it recovers at the next start), then by force.
_FAST_S_MAX = 60
_IMMEDIATE_S_MAX = 5
_KILL_S_MAX = 5


def launched(program: Sequence[str | Path], account: Account) -> list[str]:
    """The command that runs program as account and lets it end with the thread that started it."""
    identity = (os.getpid(), account.uid, account.gid)
    return [sys.executable, "-I", "-S", launch.__file__, *map(str, identity), *map(str, program)]


def run_tool(program: Sequence[str | Path], account: Account, text: str = "") -> None:
    """Run one of PostgreSQL's programs to its end, with text as its input; what it complained of is told."""
    name = Path(program[0]).name
    try:
        done = subprocess.run(  # noqa: S603
            launched(program, account),
            input=text,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd="/",
            env=ENVIRONMENT,
            timeout=_TOOL_S_MAX,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise trouble(f"{name} did not finish in {_TOOL_S_MAX} s. The disk may be too slow.") from None
    if done.returncode != 0:
        raise trouble(f"{name} failed.", done.stderr.splitlines()[-10:])


def server_processes(cluster: Path) -> set[int]:
    """The server processes at work in cluster, which is their working directory. Elsewhere than on Linux, none."""
    return {int(entry.name) for entry in Path("/proc").glob("[0-9]*") if _works_in(entry, cluster)}


def _works_in(process: Path, cluster: Path) -> bool:
    try:
        return (process / "comm").read_text() == "postgres\n" and (process / "cwd").samefile(cluster)
    except OSError:  # it ended, or belongs to someone else
        return False


def postmaster_status(cluster: Path) -> tuple[int, str]:
    """(pid, status) as the server last wrote them in its pid file; (0, "") when there is none."""
    try:
        lines = (cluster / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        return int(lines[0]), lines[7].strip() if len(lines) > 7 else ""
    except (OSError, ValueError, IndexError):
        return 0, ""


def end_server(cluster: Path) -> bool:
    """End every server process at work in cluster; answers whether there were any. The caller holds the folder's lock.

    The pid file proves nothing: its number may meanwhile be a stranger's, and would keep the next server out.
    """
    if not Path("/proc/self/comm").exists():
        return False  # nothing can be seen, so nothing is touched: a server that still runs refuses the next one
    found = server_processes(cluster)
    if found:
        _end(cluster, found)
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    return bool(found)


def _end(cluster: Path, found: set[int]) -> None:
    postmaster, _ = postmaster_status(cluster)
    if postmaster in found and _ended(cluster, {postmaster}, signal.SIGINT, _FAST_S_MAX):
        return
    for sign, wait_s in ((signal.SIGQUIT, _IMMEDIATE_S_MAX), (signal.SIGKILL, _KILL_S_MAX)):
        if _ended(cluster, server_processes(cluster), sign, wait_s):
            return
    raise trouble(f"Processes of {cluster} do not end: {sorted(server_processes(cluster))}. Restart the machine.")


def _ended(cluster: Path, pids: set[int], sign: signal.Signals, wait_s: float) -> bool:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, sign)
    deadline = time.monotonic() + wait_s
    while server_processes(cluster):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_S)
    return True
