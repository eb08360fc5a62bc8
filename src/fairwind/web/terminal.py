"""The commands that run and look after an installation; cli.py holds their help and says their errors."""

from __future__ import annotations

import asyncio
import errno
import getpass
import os
import signal
import socket
import sys
import tomllib
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, Literal

import uvloop
from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

import fairwind
from fairwind.identity import (
    NewPerson,
    Role,
    clean_login,
    clean_name,
    clean_password,
    create_people,
    hash_password,
)
from fairwind.kernel import Database, Invalid, Settings, SystemClock, Transaction, accepted, logs
from fairwind.kernel.database import shown
from fairwind.kernel.postgres import default_data_folder
from fairwind.kernel.schema import missing
from fairwind.kernel.settings import PREFIX, load
from fairwind.web.contexts import PACKAGES
from fairwind.web.installation import (
    address,
    bring_up_to_date,
    data_folder,
    database,
    existing_database,
    is_running,
    serving,
)
from fairwind.web.server import AddressInUse, listen

Data = Annotated[str | None, Parameter(help="Data folder of the embedded database")]
_SECRET = {"database_url"}


def serve(
    *,
    host: Annotated[str | None, Parameter(help="Address to listen on")] = None,
    port: Annotated[int | None, Parameter(help="Port to listen on; 0 takes a free one")] = None,
    data: Data = None,
) -> None:
    """Start the platform and serve until Ctrl-C."""
    settings = load(os.environ, host=host, port=port, data=data)
    logs.set_up(settings.log_level, settings.log_format)
    with _listening(settings) as listener, database(settings, say) as url:
        bring_up_to_date(url, say)
        run(_serve(settings, url, listener))


def _listening(settings: Settings) -> socket.socket:
    try:
        return listen(settings)
    except AddressInUse as error:
        if getattr(error.__cause__, "errno", None) == errno.EADDRINUSE and is_running(settings):
            raise AddressInUse(f"{error}. Another Fairwind serves the data folder {data_folder(settings)}.") from error
        raise


async def _serve(settings: Settings, url: str, listener: socket.socket) -> None:
    stop = stopped_by_signal()
    async with serving(settings, url, listener) as platform:
        say(f"Fairwind {fairwind.__version__} serves {address(platform.settings)} (Ctrl-C stops it)")
        await stop.wait()
        say("Stopping: finishing what is in flight")


def stopped_by_signal() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set; a second Ctrl-C ends the process at once."""
    stop = asyncio.Event()

    def ask() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ask)
    return stop


def upgrade(*, data: Data = None) -> None:
    """Bring the database's tables up to date."""
    settings = load(os.environ, data=data)
    with database(settings, say, share=True) as url:
        steps = missing(url, PACKAGES)
        bring_up_to_date(url, say)
        if not steps:
            say("The database is up to date")


def status(*, data: Data = None) -> int:
    """Say where the database is and whether its tables fit this version. Exits with 1 when they do not."""
    settings = load(os.environ, data=data)
    with existing_database(settings, say) as url:
        say(f"Database: {shown(url)}")
        steps = missing(url, PACKAGES)
    if steps:
        say(f"To be upgraded: {', '.join(step.name for step in steps)}. Run fairwind db upgrade.")
        return 1
    say("The tables fit this version")
    return 0


def create_account(
    login: Annotated[str, Parameter(help="Email address, phone number or name")],
    *,
    role: Annotated[
        list[Literal["buyer", "creator", "merchant", "agency", "operator"]],
        Parameter(help="May be given several times", negative=""),
    ],
    name: Annotated[str | None, Parameter(help="Shown to others; the login when left out")] = None,
    password_stdin: Annotated[
        bool, Parameter(help="Read the password from standard input instead of asking", negative="")
    ] = False,
    data: Data = None,
) -> None:
    """Make an account. The password is never an argument: those can be seen by others."""
    settings = load(os.environ, data=data)
    clean = clean_login(login)
    password = clean_password(_password(from_stdin=password_stdin), clean)
    draft = NewPerson(clean, clean_name(name or clean), hash_password(password), frozenset(map(Role, role)))
    with database(settings, say, share=True) as url:
        bring_up_to_date(url, say)
        person_id = run(_create(url, draft))
    say(f"{clean} is person {person_id}: {', '.join(sorted(draft.roles))}")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\n")
    if not sys.stdin.isatty():
        raise Invalid("there is no terminal to ask for the password; pipe it in with --password-stdin")
    password = getpass.getpass("Password: ")
    if getpass.getpass("Again: ") != password:
        raise Invalid("the two passwords differ; try again")
    return password


async def _create(url: str, draft: NewPerson) -> int:
    async def work(tx: Transaction) -> int:
        [person] = await create_people(tx, [draft], SystemClock().now())
        return accepted(person).id

    async with Database(url, connections_max=4) as pool:
        return await pool.run(work)


def show_config() -> None:
    """Show every setting, its value and where it came from."""
    settings = load(os.environ)
    table = Table("setting", "value", "from")
    for field in Settings.__struct_fields__:
        table.add_row(field, _value(settings, field), _origin(field))
    Console().print(table)


def _value(settings: Settings, field: str) -> str:
    value = getattr(settings, field)
    if field in _SECRET and value:
        return shown(value)
    if field == "data" and not value:
        return f"({default_data_folder()})"
    return str(value) if value != "" else "-"


def _origin(field: str) -> str:
    if PREFIX + field.upper() in os.environ:
        return PREFIX + field.upper()
    path = os.environ.get("FAIRWIND_CONFIG")
    if path and field in tomllib.loads(Path(path).read_text(encoding="utf-8")):
        return path
    return "default"


def version() -> None:
    """Say which version this is."""
    say(fairwind.__version__)


def say(sentence: str) -> None:
    """For whoever sits at the terminal; logs go to standard error."""
    print(sentence, flush=True)  # noqa: T201


def run(main: Coroutine[Any, Any, Any]) -> Any:
    """Run main on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
