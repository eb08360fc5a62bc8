"""Pure modules stay pure, one module reads the clock, and contexts meet at their packages.

The layers and the driver are import-linter's (pyproject.toml). Here is what it cannot see, found in the syntax tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import fairwind

SOURCE = Path(fairwind.__file__).parent

SHELL_MODULES = {"commands", "store", "routes", "jobs", "wiring", "client", "server", "sandbox"}
"""What a context may have beside its pure modules; and its desk, a module named like the context."""
SHELL_PACKAGES = {"web", "cli", "demo", "bench", "audit"}
NAMED_SHELL = {
    *(f"kernel.{name}" for name in ("audit", "clock", "database", "gate", "ids", "isolation", "logs")),
    *(f"kernel.{name}" for name in ("outbox", "platform", "postgres", "schema", "secrets", "sequences", "settings")),
    "identity.passwords",
    "orders.book",
    "settlement.payouts",
    "traffic.feed",
}
"""Modules that wait, read or draw by nature although their names do not say so. Think twice before adding one."""
CLOCKS = {"fairwind.kernel.clock", "fairwind.bench.load", "fairwind.web.journal"}
"""The platform's clock; the load generator's, which plays the buyers' own devices; and that of log lines."""
DOORS = {"server"}
"""What is a process of its own: the shell starts it from inside its context."""

IMPURE_IMPORTS = {
    "psycopg", "psycopg_pool",
    "asyncio", "concurrent", "multiprocessing", "signal", "subprocess", "threading",
    "aiohttp", "http.client", "http.server", "httpx", "litestar", "socket", "ssl", "urllib.request", "uvicorn",
    "importlib.resources", "glob", "os", "pathlib", "shutil", "sqlite3", "sys", "tempfile",
    "logging", "structlog",
    "random", "secrets", "time",
}  # fmt: skip
IMPURE_CALLS = {
    "open", "print", "input",
    "uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "fairwind.kernel.uuid7", "fairwind.kernel.uuid7s",
}  # fmt: skip
IMPURE_METHODS = {"now", "utcnow", "today"}
"""Of a datetime or of a Clock: below the shell, the time is an argument."""
WALL_CLOCK_CALLS = {
    "datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today",
    "time.time", "time.time_ns", "time.localtime", "time.gmtime", "time.ctime", "time.strftime",
}  # fmt: skip


def offences(module: str, source: str) -> list[str]:
    """What source, standing as module, does against the rules: one sentence each."""
    tree = ast.parse(source)
    return [*_impurities(module, tree), *_clock_readings(module, tree), *_inner_imports(module, tree)]


def is_pure(module: str) -> bool:
    context, inner = [*module.split("."), "", ""][1:3]
    if context in {"", *SHELL_PACKAGES}:
        return False
    return inner not in {context, *SHELL_MODULES} and f"{context}.{inner}" not in NAMED_SHELL


def _impurities(module: str, tree: ast.AST) -> Iterator[str]:
    if not is_pure(module):
        return
    for line, name in _imports(tree):
        if any(_within(name, impure) for impure in IMPURE_IMPORTS):
            yield f"{module}:{line} is pure and imports {name}"
        elif not _is_package(module) and _context(name) == _context(module) and not is_pure(name):
            yield f"{module}:{line} is pure and imports {name}, which is not"
    for line, name in _calls(tree):
        if name in IMPURE_CALLS or ("." in name and name.rpartition(".")[2] in IMPURE_METHODS):
            yield f"{module}:{line} is pure and calls {name}"


def _clock_readings(module: str, tree: ast.AST) -> Iterator[str]:
    for line, name in _calls(tree):
        if name in WALL_CLOCK_CALLS and module not in CLOCKS:
            yield f"{module}:{line} reads the clock with {name}; take `now` as an argument"


def _inner_imports(module: str, tree: ast.AST) -> Iterator[str]:
    shell = _context(module) in SHELL_PACKAGES or module.endswith(".__main__")
    for line, name in _imports(tree):
        root, context, inner = [*name.split(".", 2), "", ""][:3]
        if root != "fairwind" or not inner or context in {_context(module), *SHELL_PACKAGES}:
            continue
        if context == "kernel" and (shell or is_pure(name)):
            continue
        if shell and inner in DOORS:
            continue
        yield f"{module}:{line} reaches into {name}; import fairwind.{context}"


def _imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The modules that are imported. `from package import store` counts as importing package.store."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield node.lineno, whole if alias.name in SHELL_MODULES or whole in IMPURE_IMPORTS else node.module


def _calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What is called, by the name it has at home: `dt.now()` is datetime.datetime.now."""
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            origins |= {alias.asname: alias.name for alias in node.names if alias.asname}
        elif isinstance(node, ast.ImportFrom):
            origins |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name, _, rest = ast.unparse(node.func).partition(".")
            yield node.lineno, ".".join(filter(None, (origins.get(name, name), rest)))


def _is_package(module: str) -> bool:
    return module.count(".") < 2


def _context(module: str) -> str:
    return [*module.split("."), ""][1] if _within(module, "fairwind") else ""


def _within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")


def _modules() -> dict[str, Path]:
    names = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        names[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return names


@pytest.mark.parametrize(("module", "path"), _modules().items(), ids=_modules())
def test_the_module_keeps_the_rules(module, path):
    assert offences(module, path.read_text()) == []


@pytest.mark.parametrize(
    "source",
    [
        "import psycopg",
        "from psycopg.rows import dict_row",
        "import asyncio as a",
        "import httpx",
        "from litestar import get",
        "import os.path",
        "from os import environ",
        "from pathlib import Path",
        "import socket",
        "import time",
        "from time import monotonic",
        "import random",
        "from secrets import token_hex",
        "import importlib.resources",
        "from importlib import resources",
        "def late():\n    import random",
        "from datetime import datetime, UTC\ndatetime.now(UTC)",
        "from datetime import datetime as dt\ndt.utcnow()",
        "import datetime\ndatetime.date.today()",
        "def act(clock):\n    return clock.now()",
        "from uuid import uuid4\nuuid4()",
        "from fairwind.kernel import uuid7\ndef act(now):\n    return uuid7(now)",
        "open('x')",
        "def act():\n    print('x')",
        "from fairwind.catalog import store",
        "from fairwind.catalog.commands import publish",
    ],
)
def test_an_impure_line_in_a_pure_module_is_caught(source):
    assert offences("fairwind.catalog.pricing", source)
    assert offences("fairwind.catalog.importing.shopify", source)


@pytest.mark.parametrize(
    "source",
    [
        "import csv, hashlib, json, re",
        "from datetime import UTC, datetime, timedelta\ndef act(now: datetime):\n    return now + timedelta(1)",
        "from uuid import UUID\nUUID(int=1)",
        "from urllib.parse import quote",
        "from fairwind.kernel import Fen, Refused",
        "from fairwind.catalog.product import Product\nProduct.opened(1)",
    ],
)
def test_an_innocent_line_in_a_pure_module_passes(source):
    assert offences("fairwind.catalog.pricing", source) == []


@pytest.mark.parametrize("module", ["fairwind.catalog.commands", "fairwind.web.app", "fairwind.demo.crowd"])
def test_reading_the_wall_clock_outside_the_kernels_clock_is_caught(module):
    assert offences(module, "import datetime\ndatetime.datetime.now()")
    assert offences(module, "from time import time\ntime()")
    assert offences(module, "from time import perf_counter\nperf_counter()") == []


@pytest.mark.parametrize(
    "source",
    [
        "import fairwind.catalog.store",
        "from fairwind.catalog.store import load",
        "from fairwind.catalog.product import Product",
        "from fairwind.catalog import store",
        "from fairwind.kernel.database import Transaction",
    ],
)
def test_reaching_into_another_context_is_caught(source):
    assert offences("fairwind.orders.commands", source)
    assert offences("fairwind.orders.routes", source)


def test_the_kernels_pure_modules_are_open_to_all():
    assert offences("fairwind.orders.routes", "from fairwind.kernel.money import Fen") == []


def test_the_shell_may_use_the_kernels_modules_and_start_a_contexts_server_but_not_its_stores():
    assert offences("fairwind.web.app", "from fairwind.kernel.settings import Settings") == []
    assert offences("fairwind.demo.stage", "from fairwind.payments.server import serve") == []
    assert offences("fairwind.web.app", "from fairwind.orders import store")
    assert offences("fairwind.bench.orders", "from fairwind.orders.order import Order")
