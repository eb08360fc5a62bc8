"""Keeps the server running: launches it, and launches it again when it ends by itself."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event, Lock, Thread

from fairwind.kernel.postgres.account import Account
from fairwind.kernel.postgres.folder import DataFolder, make_private
from fairwind.kernel.postgres.life import Life
from fairwind.kernel.postgres.processes import end_server
from fairwind.kernel.postgres.trouble import DataFolderError, told

# Pauses before one try after another to start a server again that ended by itself; after the last it stays ended.
_PAUSES_S = (0, 1, 2, 4, 8, 15, 30, 30, 30, 30, 30, 30)
_SETTLED_S = 60
"""A server that lived this long has all its tries again."""
# How a server is stopped: cleanly, then at once (it recovers at the next start), then by force.
_STOPS = ((signal.SIGINT, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 10))


class Keeper:
    """Runs program, the server of folder's cluster, as account, from start to stop. report: see EmbeddedPostgres."""

    def __init__(
        self, program: Sequence[str | Path], account: Account, folder: DataFolder, report: Callable[[str], None]
    ) -> None:
        self._program = program
        self._account = account
        self._folder = folder
        self._report = report
        self._ready: Future[None] = Future()
        self._guard = Lock()  # so that no life begins unseen by stop
        self._stopping = Event()
        self._life: Life | None = None
        # The server ends with the thread that launched it, so one thread launches all its lives and outlasts them.
        self._thread = Thread(target=self._keep, name="postgres-keeper", daemon=True)

    def start(self) -> None:
        """Return when the server takes connections; DataFolderError when it ends instead."""
        self._thread.start()
        self._ready.result()

    def stop(self) -> None:
        """End the server, in bounded time."""
        with self._guard:
            self._stopping.set()
        for sign, wait_s in _STOPS:
            if self._life:
                self._life.signal(sign)
            self._thread.join(wait_s)
            if not self._thread.is_alive():
                break
        self._end_remains()

    def _keep(self) -> None:
        try:
            life: Life | None = self._launch()
        except BaseException as error:
            self._ready.set_exception(error)
            return
        self._ready.set_result(None)
        pauses = iter(_PAUSES_S)
        while life:
            how = life.wait()
            if life.age_s > _SETTLED_S:
                pauses = iter(_PAUSES_S)
            life = None if self._stopping.is_set() else self._launch_again(how, pauses)

    def _launch_again(self, how: str, pauses: Iterator[int]) -> Life | None:
        self._report(f"PostgreSQL ended by itself ({how}); starting it again")
        for pause_s in pauses:
            if self._stopping.wait(pause_s):
                return None
            try:
                life = self._launch()
            except DataFolderError as error:
                if self._stopping.is_set():
                    return None
                self._report(str(error))
            else:
                self._report("PostgreSQL runs again, with everything that was committed")
                return life
        self._report("PostgreSQL ended too often and stays ended: mend what is said above and start Fairwind again")
        return None

    def _launch(self) -> Life:
        with told(self._folder.path):
            self._end_remains()
            self._clear_sockets()
            with self._guard:
                if self._stopping.is_set():
                    raise DataFolderError("PostgreSQL was stopped while it started")
                self._life = Life(self._program, self._account, self._folder.cluster, self._folder.log)
            self._life.wait_until_ready(self._report)
            return self._life

    def _end_remains(self) -> None:
        """End what outlived the server's main process: a backend that computes does not notice its end."""
        end_server(self._folder.cluster)
        if self._life:
            self._life.hear_out()

    def _clear_sockets(self) -> None:
        """Remove what a killed server left: its pid, perhaps a stranger's by now, would keep the next one out.

        The shared memory it left is found and cleared by the next server itself.
        """
        shutil.rmtree(self._folder.run, ignore_errors=True)
        make_private(self._folder.run, self._account)
