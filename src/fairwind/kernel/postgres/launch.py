"""Becomes one of PostgreSQL's programs: gives up root, arranges to end with the parent, and executes it.

Run on its own, as `python -I -S launch.py PARENT UID GID PROGRAM…`: Python code between fork and exec of a process
with threads may hang. Ends with SIGINT, PostgreSQL's fast shutdown, when the thread that started it ends.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, uid, gid, *program = sys.argv[1:]
    _become(int(uid), int(gid))
    _end_with(int(parent))
    os.execv(program[0], program)  # noqa: S606


def _become(uid: int, gid: int) -> None:
    os.umask(0o077)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)


def _end_with(parent: int) -> None:
    """Must follow the change of user, which would clear it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)
    if os.getppid() != parent:
        sys.exit("Fairwind ended before PostgreSQL began")


if __name__ == "__main__":
    main()
