"""The embedded server as the app sees it: start, url, stop."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import structlog

from fairwind.kernel.postgres.account import Account, own_account, server_account
from fairwind.kernel.postgres.binaries import Binaries, find_binaries, within_reach
from fairwind.kernel.postgres.cluster import check_cluster, create_cluster, set_password
from fairwind.kernel.postgres.configuration import Address, arguments, free_port, socket_fits, write_configuration
from fairwind.kernel.postgres.folder import DataFolder, take
from fairwind.kernel.postgres.keeper import Keeper
from fairwind.kernel.postgres.processes import end_server
from fairwind.kernel.postgres.trouble import told

Report = Callable[[str], None]

log = structlog.get_logger(__name__)


def _log(message: str) -> None:
    log.info("embedded_postgres", detail=message)


class EmbeddedPostgres:
    """A PostgreSQL on a folder that is made when missing. A context manager; to be used by one thread.

    folder: this process alone has it from start to stop.
    report: takes sentences for whoever runs the server, from another thread too.
    durable: False is for tests that can lose their database: the server then does not wait for the disk.
    """

    url: str
    """Where to connect, once started: a URL for libpq, the same until stop."""

    def __init__(self, folder: Path, *, report: Report = _log, durable: bool = True) -> None:
        self._folder = DataFolder(folder.expanduser().resolve())
        self._report = report
        self._durable = durable
        self._lock: IO[str] | None = None
        self._keeper: Keeper | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Make the database when the folder is new, start the server, and return when it takes connections.

        DataFolderError: the folder is in use, cannot be used, or holds something else; nothing is left running.
        """
        assert self._lock is None, "started already"
        with told(self._folder.path):
            self._folder.make()
            self._lock = take(self._folder)
            try:
                self._begin()
            except BaseException:
                self.stop()
                raise

    def stop(self) -> None:
        """End the server, cleanly unless that takes too long, and give the folder free. Nothing happens twice."""
        try:
            if self._keeper:
                self._keeper.stop()
        finally:
            if self._lock:
                self._lock.close()
            self._keeper = self._lock = None

    def _begin(self) -> None:
        account = server_account(self._folder.cluster, self._report)
        self._folder.open_to(account)
        binaries = within_reach(find_binaries(), account, self._folder)
        if end_server(self._folder.cluster):
            self._report("A PostgreSQL left over from an earlier run was stopped")
        if not self._folder.cluster.exists():
            self._report(f"Making a new database in {self._folder.path}")
            create_cluster(self._folder, binaries, account)
        check_cluster(self._folder, binaries)

        address = self._address(binaries, account)
        settings = write_configuration(self._folder, address, own_account())
        program = (str(binaries.program("postgres")), *arguments(self._folder.cluster, settings, self._durable))
        self._keeper = Keeper(program, account, self._folder, self._report)
        self._keeper.start()
        self.url = address.url

    def _address(self, binaries: Binaries, account: Account) -> Address:
        if socket_fits(self._folder.run):
            return Address(self._folder.run)
        return Address(self._folder.run, free_port(), set_password(self._folder, binaries, account))
