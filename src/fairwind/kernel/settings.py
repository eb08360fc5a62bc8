"""Settings: from the environment (FAIRWIND_…) over a TOML file over the defaults, checked once at the start."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

import msgspec
from msgspec import Meta

PREFIX = "FAIRWIND_"
_CONFIG = "FAIRWIND_CONFIG"
_FOR_TESTS = "FAIRWIND_TEST_"


class SettingsError(Exception):
    """A setting is wrong; the message names it and says what is allowed."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Every setting, its unit in its name, its default here. The README's table is made from this class."""

    host: Annotated[str, Meta(min_length=1, description="Address to listen on")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 takes a free one")] = 8000
    public_url: Annotated[
        str,
        Meta(
            pattern=r"^(https?://[^/\s]+)?$",
            description="How browsers reach the server; empty: http://host:port",
        ),
    ] = ""
    data: Annotated[str, Meta(description="Data folder; empty: ~/.local/share/fairwind")] = ""
    database_url: Annotated[
        str, Meta(description="A PostgreSQL 16 to 18 of your own; empty: the embedded one in the data folder")
    ] = ""
    database_connections_max: Annotated[int, Meta(ge=4, le=200, description="Most connections to PostgreSQL")] = 16
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Meta(description="Least level logged")] = "info"
    log_format: Annotated[Literal["text", "json"], Meta(description="How log lines are written")] = "json"
    queue_items_max: Annotated[
        int, Meta(ge=1, le=1_000_000, description="Most requests waiting at a gate; one more gets 429")
    ] = 10_000
    batch_items_max: Annotated[int, Meta(ge=1, le=10_000, description="Most requests in one batch")] = 256
    body_bytes_max: Annotated[int, Meta(ge=1024, description="Largest JSON body accepted, in bytes")] = 1_000_000
    session_ttl_s: Annotated[int, Meta(ge=60, description="How long a sign-in lasts unused, in seconds")] = 14 * 86_400
    hold_ttl_s: Annotated[
        int, Meta(ge=1, le=86_400, description="How long stock is held for an unpaid order, in seconds")
    ] = 900
    placement_ttl_s: Annotated[
        int, Meta(ge=60, description="How long after a pin its placement can be ordered with, in seconds")
    ] = 86_400
    after_sales_window_s: Annotated[
        int, Meta(ge=0, description="How long after receipt a buyer may ask for a refund, in seconds")
    ] = 15 * 86_400
    shop_debt_max_fen: Annotated[
        int, Meta(ge=0, description="How much a shop may come to owe by refunds of what was settled, in fen")
    ] = 1_000_000
    payout_every_s: Annotated[
        int, Meta(ge=1, description="How often what a shop's book owes is collected to be paid out, in seconds")
    ] = 86_400
    payout_min_fen: Annotated[
        int, Meta(ge=1, description="Least amount that is paid out, in fen; what is less is carried")
    ] = 100
    sample_show_within_s: Annotated[
        int, Meta(ge=3600, description="How long after receipt a creator has to show a sample, in seconds")
    ] = 15 * 86_400
    alliance_head_share_ppm: Annotated[
        int,
        Meta(ge=0, le=1_000_000, description="Which share of the selling creators is the head, in parts per million"),
    ] = 10_000
    close_after_s: Annotated[
        int, Meta(ge=600, description="How long after its end a month's statements are closed, in seconds")
    ] = 6 * 3600
    feed_viewer_day_max: Annotated[
        int, Meta(ge=1, description="How many items of the feed count as seen by a viewer in a day")
    ] = 2000
    feed_viewer_host_day_max: Annotated[
        int, Meta(ge=1, description="How many items of one host count as seen by a viewer in a day")
    ] = 20
    provider: Annotated[Literal["sandbox"], Meta(description="Payment provider")] = "sandbox"
    sandbox_port: Annotated[
        int, Meta(ge=0, le=65535, description="Port of the sandbox payment provider; a free one where port is 0")
    ] = 8001
    shutdown_s: Annotated[int, Meta(ge=1, le=600, description="Longest wait for requests in flight at shutdown")] = 20


def load(environment: Mapping[str, str], **given: Any) -> Settings:
    """Settings from environment, the TOML file that FAIRWIND_CONFIG names, and `given` (the command line) over both.

    SettingsError names the first setting that is wrong. Values never appear in messages: some are secrets.
    """
    values = _from_file(environment.get(_CONFIG)) | _from_environment(environment)
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        # Environment values are text; strict=False reads numbers out of them.
        return msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        reason, _, path = str(error).partition(" - at `$.")
        name = path.rstrip("`")
        raise SettingsError(f"setting {_both_names(name)}: {_wanted(name, reason)}") from None


def _wanted(name: str, reason: str) -> str:
    """What a setting may be, in the words of someone who sets it; msgspec's reason speaks to programmers."""
    if words := get_args(get_type_hints(Settings).get(name)):
        return f"must be {' or '.join(words)}"
    if name == "public_url" and "regex" in reason:
        return "must be http:// or https:// and a host, and nothing after it, such as https://shop.example"
    reason = reason.partition(", got ")[0].replace("Expected", "must be")
    return reason.replace("`int`", "a whole number").replace("`str`", "a text")


def _from_file(path: str | None) -> dict[str, Any]:
    if not path:
        return {}
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"FAIRWIND_CONFIG names {path}, which cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
    for name in values:
        _check_name(name, f"{path}: {name}")
    return values


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    values = {}
    for variable, value in environment.items():
        if not variable.startswith(PREFIX) or variable.startswith(_FOR_TESTS) or variable == _CONFIG:
            continue
        name = variable.removeprefix(PREFIX).lower()
        _check_name(name, variable)
        values[name] = value
    return values


def _check_name(name: str, shown: str) -> None:
    known = Settings.__struct_fields__
    if name in known:
        return
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {_both_names(near[0])}?" if near else ""
    raise SettingsError(f"{shown} is not a setting{hint}")


def _both_names(name: str) -> str:
    return f"{name} ({PREFIX}{name.upper()})"
