"""The documents say what the code does: made parts are fresh, links lead somewhere, what they name exists."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from fairwind.cli import app
from fairwind.kernel import Database, Platform, Settings, SystemClock
from fairwind.web.contexts import wire_all

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


GENERATE = _generator()
DOCUMENTS: list[Path] = GENERATE.documents()
each_document = pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])


def prose(text: str) -> str:
    return FENCE.sub("", text)


def anchors(text: str) -> set[str]:
    """The fragments that GitHub makes of the headings."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for _, title in HEADING.findall(prose(text))}


def commands(text: str) -> Iterator[list[str]]:
    """The command lines in text, shell prompts, variables and comments aside."""
    spans = SPAN.findall(prose(text))
    lines = [line for kind, block in FENCE.findall(text) if kind in ("", "sh", "bash") for line in block.splitlines()]
    for line in [*spans, *lines]:
        words = re.sub(r"\s#.*", "", line).split()
        while words and (words[0] == "$" or re.fullmatch(r"[A-Z_]+=\S*", words[0])):
            words.pop(0)
        if words and words[0].removeprefix(".venv/bin/") in ("fairwind", "make"):
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


@each_document
def test_parts_made_from_the_code_are_fresh(path: Path) -> None:
    text = path.read_text(encoding="utf-8")

    assert GENERATE.renewed(text) == text, "run make docs"


def test_pictures_need_nothing_from_elsewhere() -> None:
    for path in GENERATE.pictures():
        svg = path.read_text(encoding="utf-8")

        assert GENERATE.cleaned(svg) == svg, "run make docs"
        assert re.findall(r"https?://(?!www\.w3\.org/)", svg) == []


@each_document
def test_relative_links_lead_somewhere(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    broken = []
    for target in LINK.findall(prose(text)):
        if "://" in target:
            continue
        name, _, fragment = target.partition("#")
        file = path.parent / name if name else path
        if not file.exists() or (fragment and fragment not in anchors(file.read_text(encoding="utf-8"))):
            broken.append(target)

    assert broken == []


@each_document
def test_commands_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)

    for program, *words in commands(text):
        if program == "make":
            named = [word for word in words if "=" not in word and not word.startswith("-")]
            assert set(named) <= {*targets}, f"make {' '.join(words)}"
        else:
            assert_is_command(words)


def assert_is_command(words: list[str]) -> None:
    """fairwind has the command that words begin with, and it has the options that they name."""
    _, apps, rest = app.parse_commands(words)
    command = apps[-1]
    shown = f"fairwind {' '.join(words)}"
    if command.default_command is None:
        assert not rest, shown
    else:
        known = {name for argument in command.assemble_argument_collection() for name in argument.names}
        assert {word.partition("=")[0] for word in rest if word.startswith("--")} <= known, shown


@each_document
def test_settings_exist(path: Path) -> None:
    known = {f"FAIRWIND_{name.upper()}" for name in Settings.__struct_fields__}
    known |= {"FAIRWIND_CONFIG", "FAIRWIND_TEST_DATABASE_URL"}

    assert set(re.findall(r"FAIRWIND_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8"))) <= known


@each_document
def test_requests_go_where_the_server_listens(path: Path) -> None:
    lines = [line for _, block in FENCE.findall(path.read_text(encoding="utf-8")) for line in block.splitlines()]
    routes = _routes()

    for line in lines:
        if line.startswith("curl "):
            [place] = re.findall(r"\$URL(/[^\s'\"?]*)", line)
            method = "POST" if " -d " in line and " -G " not in line else "GET"
            place = re.sub(r"\$\w+", "1", place)
            assert any(method == known and re.fullmatch(pattern, place) for known, pattern in routes), line


def _routes() -> list[tuple[str, str]]:
    platform = Platform(Database("postgresql://nowhere"), SystemClock(), Settings())
    handlers = [handler for wiring in wire_all(platform).values() for handler in wiring.handlers]
    return [
        (str(getattr(method, "value", method)), re.sub(r"\{\w+:\w+\}", r"[^/]+", path))
        for handler in handlers
        for path in handler.paths
        for method in handler.http_methods
    ]


def test_the_glossary_has_every_context_and_table() -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    spoken_of = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", glossary))
    tables = {f"{context}.{table}" for context, names in GENERATE.tables().items() for table in names}

    assert tables - spoken_of == set()
    assert set(GENERATE.contexts()) - spoken_of == set()


def test_both_readmes_have_the_same_sections_and_commands() -> None:
    english, chinese = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md"))

    assert [level for level, _ in HEADING.findall(prose(english))] == [
        level for level, _ in HEADING.findall(prose(chinese))
    ]
    assert [code(block) for _, block in FENCE.findall(english)] == [code(block) for _, block in FENCE.findall(chinese)]


def code(block: str) -> list[str]:
    """The lines of block without what is said about them."""
    return [re.sub(r"\s*#.*", "", line) for line in block.splitlines() if re.sub(r"\s*#.*", "", line)]
