"""Logs: readable by machines and people, and free of secrets."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog

from fairwind.kernel import logs

BOTH = pytest.mark.parametrize("form", ["text", "json"])


@pytest.fixture(autouse=True)
def untouched_afterwards() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def log() -> Any:
    """A logger that is looked up anew, since one remembers how logs were set up at its first use."""
    return structlog.get_logger("test")


def test_a_line_is_one_json_object_with_level_time_and_what_is_bound(
    log: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("info", "json")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        log.warning("order_placed", shop_id=42, title="春茶\n")

    [line] = capsys.readouterr().err.splitlines()
    event = json.loads(line)
    assert datetime.fromisoformat(event.pop("timestamp")).utcoffset() is not None
    assert event == {
        "event": "order_placed",
        "level": "warning",
        "request_id": "r1",
        "shop_id": 42,
        "title": "春茶\n",
    }


@BOTH
def test_what_is_below_the_level_is_not_written(form: Any, log: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("warning", form)
    log.info("quiet")
    logging.getLogger("library").info("quiet too")

    assert capsys.readouterr().err == ""


@BOTH
def test_fields_with_secret_names_are_hidden_at_any_depth(
    form: Any, log: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("info", form)
    log.info(
        "asked",
        password="hunter2",
        New_Password="hunter2",
        session_token="hunter2",
        database_url="hunter2",
        request={"headers": [{"Cookie": "hunter2", "accept": "kept"}, ("x", {"Authorization": "hunter2"})]},
    )

    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert written.count("[hidden]") == 6
    assert "kept" in written


@BOTH
@pytest.mark.parametrize(
    "address",
    [
        "postgresql://shop:hunter2@db:5432/fairwind",
        "postgresql://shop:hunter2%40@db/fairwind",
        "postgresql://:hunter2@db",
        "postgresql:///fairwind?host=/tmp&password=hunter2&sslmode=disable",
        "host=db password=hunter2 dbname=fairwind",
        "host=db password='hunter2 hunter2'",
    ],
)
def test_a_password_in_an_address_is_hidden_wherever_the_address_stands(
    form: Any, address: str, log: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.set_up("info", form)

    def connect(url: str) -> None:
        raise ConnectionError(f"cannot reach {url}")

    try:
        connect(address)
    except ConnectionError:
        log.exception("failed", at=address, settings={"urls": [address]})
        logging.getLogger("library").exception("failed at %s", address)

    written = capsys.readouterr().err
    assert "hunter2" not in written
    assert "cannot reach" in written, "the rest of the message stays"
    assert "in connect" in written, "so does the traceback"


@BOTH
def test_tracebacks_show_no_local_variables(form: Any, log: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", form)

    def sign_in(word: str) -> None:
        raise ValueError(len(word))

    word = "".join(["hun", "ter2"])
    try:
        sign_in(word)
    except ValueError:
        log.exception("failed")

    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("text", ["http://127.0.0.1:8000/a?b=c@d", "12:30 a@b", "https://example.org/x:y@z"])
def test_what_is_no_password_is_left_alone(text: str, log: Any, capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", "json")
    log.info(text)

    assert json.loads(capsys.readouterr().err)["event"] == text


def test_libraries_that_log_every_step_are_kept_to_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("debug", "json")
    for name in ("httpx", "httpcore", "psycopg.pool"):
        logging.getLogger(name).info("step")
    logging.getLogger("psycopg").warning("error ignored terminating a pipeline")

    assert capsys.readouterr().err == ""
