"""Catalogue files at the terminal: importing and exporting with a progress bar."""

from __future__ import annotations

import asyncio
import csv
import os
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, TextIO

import msgspec
from cyclopts import Parameter
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from fairwind.catalog import Catalog, ImportReport, Progress, RefusedLine
from fairwind.kernel import Database, Invalid, Platform, Settings, ShopId, SystemClock
from fairwind.kernel.settings import load
from fairwind.web.contexts import wire_all
from fairwind.web.installation import bring_up_to_date, database
from fairwind.web.terminal import Data, run

_PIECE_BYTES = 1 << 18
_SHOWN_MAX = 20

Shop = Annotated[int, Parameter(help="The shop's id")]


def import_file(
    file: Annotated[str, Parameter(help="A catalogue in CSV; - reads standard input", allow_leading_hyphen=True)],
    *,
    shop: Shop,
    refused: Annotated[Path | None, Parameter(help="Write every refused line and its reason to this CSV file")] = None,
    json: Annotated[bool, Parameter(help="Print the report as one JSON object", negative="")] = False,
    data: Data = None,
) -> int:
    """Import a catalogue file into a shop. Exits with 1 when a line was refused."""
    settings = load(os.environ, data=data)
    besides = Console(stderr=True, highlight=False)
    with (
        _opened(file) as source,
        _refusals(refused, besides) as refuse,
        database(settings, besides.print, share=True) as url,
        _bar(besides, _size(source)) as progress,
    ):
        bring_up_to_date(url, besides.print)
        report: ImportReport = run(_import(settings, url, ShopId(shop), source, progress, refuse))
    if json:
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(report)) + b"\n")
    else:
        Console(highlight=False).print(_told(report), soft_wrap=True)
    return 1 if report.refused else 0


def export_file(
    *,
    shop: Shop,
    to: Annotated[Path | None, Parameter(help="The file to write; standard output when left out")] = None,
    format: Annotated[Literal["fairwind", "shopify"], Parameter(help="Columns to write")] = "fairwind",  # noqa: A002
    data: Data = None,
) -> None:
    """Export a shop's products as a catalogue file. The file appears when it is whole."""
    settings = load(os.environ, data=data)
    besides = Console(stderr=True, highlight=False)
    with (
        database(settings, besides.print, share=True) as url,
        _written(to) as target,
        _bar(besides, None) as progress,
    ):
        run(_export(settings, url, ShopId(shop), format, target, progress))


async def _import(
    settings: Settings,
    url: str,
    shop_id: ShopId,
    source: BinaryIO,
    progress: Callable[[Progress], None],
    refused: Callable[[RefusedLine], None],
) -> ImportReport:
    async with _catalog(settings, url) as catalog:
        return await catalog.import_file(shop_id, _pieces(source), progress=progress, refused=refused)


async def _export(
    settings: Settings,
    url: str,
    shop_id: ShopId,
    form: Literal["fairwind", "shopify"],
    target: BinaryIO,
    progress: Callable[[Progress], None],
) -> None:
    async with _catalog(settings, url) as catalog:
        written = lines = 0
        async for piece in await catalog.export(shop_id, form):
            target.write(piece)
            written += len(piece)
            lines += piece.count(b"\n")
            progress(Progress(written, lines - 1, 0))


@asynccontextmanager
async def _catalog(settings: Settings, url: str) -> AsyncIterator[Catalog]:
    async with Database(url, connections_max=4) as pool:
        platform = Platform(pool, SystemClock(), settings)
        catalog: Catalog = wire_all(platform)["catalog"].provides["catalog"]
        try:
            yield catalog
        finally:
            await platform.stop()


async def _pieces(source: BinaryIO) -> AsyncIterator[bytes]:
    while piece := await asyncio.to_thread(source.read, _PIECE_BYTES):
        yield piece


@contextmanager
def _opened(file: str) -> Iterator[BinaryIO]:
    if file == "-":
        yield sys.stdin.buffer
        return
    try:
        source = Path(file).open("rb")  # noqa: SIM115  closed below
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}") from None
    with source:
        yield source


def _size(source: BinaryIO) -> int | None:
    return os.fstat(source.fileno()).st_size or None


@contextmanager
def _written(file: Path | None) -> Iterator[BinaryIO]:
    if file is None:
        yield sys.stdout.buffer
        return
    unfinished = file.with_name(f"{file.name}.unfinished")
    try:
        target = unfinished.open("wb")
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror}") from None
    try:
        with target:
            yield target
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _refusals(file: Path | None, console: Console) -> Iterator[Callable[[RefusedLine], None]]:
    """Takes refused lines: all go to file, the first few to the console."""
    shown = 0

    def show(line: RefusedLine) -> None:
        nonlocal shown
        shown += 1
        if shown <= _SHOWN_MAX:
            console.print(f"line {line.line} {line.reason}", markup=False, soft_wrap=True)
        elif shown == _SHOWN_MAX + 1 and file is None:
            console.print("More lines were refused: --refused FILE writes them all", markup=False)

    if file is None:
        yield show
        return
    try:
        target: TextIO = file.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise Invalid(f"{file} cannot be written: {error.strerror}") from None
    with target:
        rows = csv.writer(target, lineterminator="\n")
        rows.writerow(["line", "reason"])

        def write(line: RefusedLine) -> None:
            rows.writerow([line.line, line.reason])
            show(line)

        yield write


@contextmanager
def _bar(console: Console, total_bytes: int | None) -> Iterator[Callable[[Progress], None]]:
    columns: tuple[Any, ...] = (DownloadColumn(), BarColumn(), TextColumn("{task.description}", markup=False))
    with Bar(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
        task = bar.add_task("", total=total_bytes)
        yield lambda so_far: bar.update(
            task,
            completed=so_far.read_bytes,
            description=f"{so_far.lines:,} lines" + (f", {so_far.refused:,} refused" if so_far.refused else ""),
        )


def _told(report: ImportReport) -> str:
    sentences = [
        f"{report.lines:,} lines in {report.format}'s format ({report.encoding.upper()}).",
        f"SKUs: {report.skus_created:,} new, {report.skus_changed:,} changed, {report.skus_unchanged:,} as they were.",
        f"Products: {report.products_created:,} new, {report.products_changed:,} changed.",
        f"Lines refused: {report.refused:,}.",
    ]
    if report.ignored_columns:
        sentences.append(f"Columns not kept: {', '.join(report.ignored_columns)}.")
    return "\n".join(sentences)
