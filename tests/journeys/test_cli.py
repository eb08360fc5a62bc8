"""The fairwind command, run as people run it."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
import pytest
from served import PASSWORD

FAIRWIND = [sys.executable, "-c", "from fairwind.cli import main; main()"]


def environment(**settings: object) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWIND_")}
    return clean | {f"FAIRWIND_{name.upper()}": str(value) for name, value in settings.items()} | {"COLUMNS": "200"}


def fairwind(*arguments: str, given: str = "", **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FAIRWIND, *arguments],
        input=given,
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**settings),
        check=False,
    )


@contextmanager
def serving(**settings: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`fairwind serve` on a free port, and its URL once it answers."""
    process = subprocess.Popen(
        [*FAIRWIND, "serve"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment(**{"port": 0, "sandbox_port": 0, "log_level": "error"} | settings),
    )
    try:
        assert process.stdout is not None
        url = next(match[1] for line in process.stdout if (match := re.search(r"serves (http://\S+)", line)))
        yield process, url
    finally:
        process.kill()
        process.wait()


def test_help_lists_the_commands_and_each_shows_an_example() -> None:
    listed = fairwind("--help")
    assert listed.returncode == 0
    for command in ("serve", "db", "account", "config", "version"):
        assert command in listed.stdout

    for command in (
        ["serve"],
        ["db", "upgrade"],
        ["db", "status"],
        ["account", "create"],
        ["config", "show"],
        ["version"],
    ):
        shown = fairwind(*command, "--help")
        assert (shown.returncode, "Example: " in shown.stdout) == (0, True), command


@pytest.mark.parametrize("arguments", [["fly"], ["serve", "--port", "x"], ["account", "create"], ["serve", "extra"]])
def test_a_wrong_call_exits_with_2(arguments: list[str]) -> None:
    called = fairwind(*arguments)

    assert (called.returncode, "Traceback" in called.stderr) == (2, False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"prot": 1}, "did you mean port"),
        ({"port": "x"}, "setting port (FAIRWIND_PORT)"),
        ({"config": "/nowhere.toml"}, "/nowhere.toml"),
        ({"database_url": "postgresql://lin:hunter2@127.0.0.1:1/none"}, "cannot connect to PostgreSQL"),
    ],
)
def test_an_error_is_one_sentence_without_secrets(settings: dict[str, object], words: str) -> None:
    called = fairwind("serve", **{"port": 0} | settings)

    assert called.returncode == 1
    assert called.stderr.startswith("fairwind: ")
    assert words in called.stderr
    assert "Traceback" not in called.stderr
    assert "hunter2" not in called.stderr + called.stdout


def test_config_shows_where_each_value_came_from_and_no_password(tmp_path: Path) -> None:
    file = tmp_path / "fairwind.toml"
    file.write_text("hold_ttl_s = 77\n")

    shown = fairwind("config", "show", config=file, port=8123, database_url="postgresql://lin:hunter2@db/fairwind")

    rows = {cells[1]: cells[2:4] for line in shown.stdout.splitlines() if len(cells := re.split(r"\s*│\s*", line)) > 3}
    assert rows["port"] == ["8123", "FAIRWIND_PORT"]
    assert rows["hold_ttl_s"] == ["77", str(file)]
    assert rows["host"] == ["127.0.0.1", "default"]
    assert rows["database_url"][0] == "dbname=fairwind host=db"
    assert "hunter2" not in shown.stdout


def test_a_port_in_use_is_told_before_anything_is_started(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        called = fairwind("serve", port=taken.getsockname()[1], data=tmp_path / "data")

    assert called.returncode == 1
    assert "--port" in called.stderr
    assert not (tmp_path / "data").exists()


def test_an_address_of_another_machine_is_not_said_to_be_in_use(tmp_path: Path) -> None:
    called = fairwind("serve", host="192.0.2.1", data=tmp_path / "data")

    assert called.returncode == 1
    assert "FAIRWIND_HOST" in called.stderr
    assert "stop what uses it" not in called.stderr


def test_an_operator_is_made_beside_a_running_server_and_signs_in(database_url: str) -> None:
    login = f"boss-{uuid4().hex[:12]}"

    def make(password: str) -> subprocess.CompletedProcess[str]:
        command = ["account", "create", login, "--role", "operator", "--role", "buyer", "--password-stdin"]
        return fairwind(*command, given=password + "\n", database_url=database_url)

    with serving(database_url=database_url) as (_, url):
        short, made, again = make("short"), make(PASSWORD), make(PASSWORD)
        signed_in = httpx.post(f"{url}/sessions", json={"login": login, "password": PASSWORD})

    assert (short.returncode, "8 to 128 characters" in short.stderr) == (1, True)
    assert (made.returncode, made.stderr) == (0, "")
    assert (again.returncode, "someone has the login" in again.stderr) == (1, True)
    assert signed_in.json()["roles"] == ["buyer", "operator"]
    assert PASSWORD not in made.stdout


def test_a_password_is_asked_for_twice_and_not_shown(database_url: str) -> None:
    login = f"boss-{uuid4().hex[:12]}"

    def answering(*answers: str) -> tuple[int, str]:
        process, terminal = pty.fork()
        if process == 0:
            command = [*FAIRWIND, "account", "create", login, "--role", "operator"]
            os.execve(command[0], command, environment(database_url=database_url))
        text = ""
        for prompt, answer in zip(("Password: ", "Again: "), answers, strict=True):
            while prompt not in text:
                text += os.read(terminal, 1000).decode()
            time.sleep(0.2)  # the terminal's echo is turned off just before the prompt is read
            os.write(terminal, answer.encode() + b"\n")
        while True:
            try:
                text += os.read(terminal, 1000).decode()
            except OSError:
                return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), text

    differing, made = answering(PASSWORD, PASSWORD + "!"), answering(PASSWORD, PASSWORD)

    assert differing[0] == 1
    assert "the two passwords differ" in differing[1]
    assert made[0] == 0
    assert PASSWORD not in differing[1] + made[1]


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_server_stops_cleanly_when_asked(database_url: str, how: signal.Signals) -> None:
    with serving(database_url=database_url) as (process, url):
        assert httpx.get(f"{url}/health/ready").status_code == 200
        process.send_signal(how)
        assert process.wait(20) == 0


def test_a_database_of_a_newer_version_is_refused_unchanged(empty_database_url: str) -> None:
    settings: dict[str, Any] = {"database_url": empty_database_url, "port": 0, "sandbox_port": 0}
    assert fairwind("db", "status", **settings).returncode == 1
    assert fairwind("db", "upgrade", **settings).stdout == "The database is set up\n"
    assert fairwind("db", "upgrade", **settings).stdout == "The database is up to date\n"
    assert fairwind("db", "status", **settings).returncode == 0
    with psycopg.connect(empty_database_url) as connection:
        connection.execute("INSERT INTO kernel.schema_version (context, version) VALUES ('orders', 99)")

    for command in (["serve"], ["db", "upgrade"], ["db", "status"]):
        refused = fairwind(*command, **settings)
        assert (refused.returncode, "newer Fairwind" in refused.stderr) == (1, True), command


def test_with_nothing_configured_it_brings_its_own_database_and_shares_it() -> None:
    with tempfile.TemporaryDirectory(prefix="fairwind-test-") as place:
        Path(place).chmod(0o711)  # started by root, the database runs as another user
        data = Path(place, "data")
        make = ["account", "create", "boss", "--role", "operator", "--password-stdin"]
        with serving(data=data) as (process, url):
            assert httpx.get(f"{url}/health/ready").status_code == 200
            second = fairwind("serve", data=data, port=0)
            same_port = fairwind("serve", data=data, port=httpx.URL(url).port)
            made = fairwind(*make, given=PASSWORD, data=data)
            process.terminate()
            assert process.wait(30) == 0

        assert (second.returncode, "is in use by process" in second.stderr) == (1, True)
        assert (same_port.returncode, f"serves the data folder {data}" in same_port.stderr) == (1, True)
        assert (made.returncode, made.stderr) == (0, "")
        assert fairwind("db", "status", data=data).returncode == 0
        assert not (data / "database-url").exists()


@pytest.mark.parametrize("command", [["audit"], ["alliance", "replay"], ["db", "status"]])
def test_a_command_that_only_looks_makes_no_database(command: list[str], tmp_path: Path) -> None:
    looked = fairwind(*command, data=tmp_path / "data")

    assert (looked.returncode, f"there is no database in {tmp_path / 'data'}" in looked.stderr) == (1, True)
    assert not (tmp_path / "data").exists()


def test_attribution_is_replayed_beside_a_running_server(database_url: str) -> None:
    with serving(database_url=database_url):
        replayed = fairwind("alliance", "replay", "--json", database_url=database_url)

    assert (replayed.returncode, replayed.stdout) == (0, "")
    assert "lines with evidence: all are decided as they were" in replayed.stderr


def test_how_traffic_was_shared_is_counted_from_the_log(database_url: str) -> None:
    told = fairwind("traffic", "audit", database_url=database_url)
    counted = fairwind("traffic", "audit", "--json", database_url=database_url)

    assert (told.returncode, "The exposure log is empty" in told.stdout) == (0, True)
    assert (counted.returncode, json.loads(counted.stdout)) == (0, [])
