"""One life of the server process, from its launch to its end."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Thread

from fairwind.kernel.postgres.account import Account
from fairwind.kernel.postgres.log import Log
from fairwind.kernel.postgres.processes import ENVIRONMENT, launched, postmaster_status
from fairwind.kernel.postgres.trouble import trouble

_READY_S_MAX = 900
"""Replaying the log after a crash may take minutes on a slow disk."""
_SLOW_S = 5
_POLL_S = 0.01
_LAST_WORDS_S = 2


class Life:
    """A server launched on cluster by the calling thread, which must outlive it: the server ends with its thread."""

    def __init__(self, program: Sequence[str | Path], account: Account, cluster: Path, log: Path) -> None:
        self._cluster = cluster
        self._log = Log(log)
        # A session of its own: Ctrl-C in the terminal is for the app, which ends the server when it has finished.
        self._process = subprocess.Popen(  # noqa: S603
            launched(program, account),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            cwd="/",
            env=ENVIRONMENT,
            start_new_session=True,
        )
        self._began = time.monotonic()
        self._reader = Thread(target=self._log.follow, args=(self._process.stderr,), name="postgres-log", daemon=True)
        self._reader.start()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self._began

    def wait_until_ready(self, report: Callable[[str], None]) -> None:
        """Return when the server takes connections; DataFolderError when it ends instead."""
        told_slow = False
        while self._process.poll() is None:
            if postmaster_status(self._cluster) == (self._process.pid, "ready"):
                return
            if self.age_s > _READY_S_MAX:
                self.signal(signal.SIGQUIT)
            if self.age_s > _SLOW_S and not told_slow:
                told_slow = True
                report("PostgreSQL is still starting: after a crash it first replays what was committed")
            time.sleep(_POLL_S)
        self.hear_out()
        raise trouble(f"PostgreSQL did not start ({self._how_ended()}). Its log is {self._log.path}.", self._log.tail)

    def wait(self) -> str:
        """Wait for the end; answers how it came, in words."""
        self._process.wait()
        return self._how_ended()

    def hear_out(self) -> None:
        """Wait until the log has the last line of a server whose processes have ended."""
        self._reader.join(_LAST_WORDS_S)

    def signal(self, sign: signal.Signals) -> None:
        self._process.send_signal(sign)

    def _how_ended(self) -> str:
        code = self._process.returncode
        return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
