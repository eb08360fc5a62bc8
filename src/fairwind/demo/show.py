"""What the demo tells whoever watches: pictures on a terminal, plain lines where there is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from io import StringIO
from pathlib import Path

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from fairwind import audit
from fairwind.demo.view import Frame, line, picture
from fairwind.demo.words import Language, tongue
from fairwind.kernel.audit import Findings, Report

_COLUMNS_MAX = 80
_LINE_EVERY_S = 2.0


class Show:
    """Tells how the demo goes, in one language. save_as: where the last picture of the sale is kept, as SVG."""

    def __init__(self, language: Language, save_as: Path | None = None) -> None:
        self.language = language
        self.words = tongue(language)
        self._save_as = save_as
        console = Console(highlight=False)
        self._console = Console(highlight=False, width=_COLUMNS_MAX) if console.width > _COLUMNS_MAX else console

    def say(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, soft_wrap=True)

    def tell(self, phrase: str, /, **values: object) -> None:
        """Say the phrase in the language of the demo."""
        self.say(self.words(phrase).format(**values))

    def print(self, thing: RenderableType) -> None:
        self._console.print(thing)

    @contextmanager
    def sale(self) -> Iterator[Callable[[Frame], None]]:
        """Takes the frames of a sale, as they come."""
        if not self._console.is_terminal:
            yield self._lines()
            return
        with Live(console=self._console, auto_refresh=False) as live:
            yield lambda frame: live.update(picture(frame, self.words), refresh=True)

    def _lines(self) -> Callable[[Frame], None]:
        told_s = -_LINE_EVERY_S

        def tell(frame: Frame) -> None:
            nonlocal told_s
            if frame.over or frame.elapsed_s - told_s >= _LINE_EVERY_S:
                told_s = frame.elapsed_s
                self.say(line(frame, self.words))

        return tell

    @contextmanager
    def step(self, name: str) -> Iterator[Callable[[int, int], None]]:
        """Takes how much of a step of the weeks after the sale is done."""
        label = self.words(name)
        if not self._console.is_terminal:
            done_of = [0, 0]

            def count(done: int, whole: int) -> None:
                done_of[:] = done, whole

            yield count
            self.say(f"{label}: {done_of[0]:,} / {done_of[1]:,}")
            return
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(label, total=None)
            yield lambda done, whole: progress.update(task, completed=done, total=whole or 1)

    def save(self, frame: Frame) -> None:
        """Keep the picture of frame, when that was asked for."""
        if self._save_as is not None:
            console = Console(record=True, width=_COLUMNS_MAX, file=StringIO(), force_terminal=True)
            console.print(picture(frame, self.words))
            console.save_svg(str(self._save_as), title="make demo")

    def audit(self) -> AbstractContextManager[Report]:
        """Takes the progress of an audit."""
        return audit.progress(self._console)

    def findings(self, findings: Findings) -> None:
        """What the audit found."""
        self._console.rule(self.words("Audit"), style="dim")
        audit.print_findings(findings, self._console)
        self._console.rule(style="dim")

    def doors(
        self, url: str, provider: str, accounts: Mapping[str, str], password: str, checks: Sequence[str], days: int
    ) -> None:
        """Where to go now, and as whom. checks: commands to try; days: how far the demo's clock is ahead."""
        table = Table(box=None, padding=(0, 1), pad_edge=False)
        table.add_column(self.words("account"), header_style="bold")
        table.add_column(self.words("who"), header_style="bold")
        for login, who in accounts.items():
            table.add_row(login, who)
        self.print(table)
        self.tell("The password of all of them: {password}", password=password)
        for command in checks:
            self.tell("Check it yourself: {command}", command=command)
        self.tell("or read statements: {url}/sign-in", url=url)
        self.tell("The demo's clock is {days} days ahead: the weeks it let pass.", days=days)
        self.tell("The payment provider: {url}", url=provider)
        self.tell("Fairwind serves {url} (Ctrl-C stops it); its API: {url}/docs", url=url)
