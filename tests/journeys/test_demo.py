"""The demo as a newcomer runs it: a live sale, its report, the audit, and a server that one can sign in to."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest

WAIT_S = 120

pytestmark = pytest.mark.timeout(300)


class Run:
    """A running `fairwind demo`, and what it has printed so far."""

    def __init__(self, data: Path, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FAIRWIND_")}
        ports = {"FAIRWIND_PORT": "0", "FAIRWIND_SANDBOX_PORT": "0", "PYTHONIOENCODING": "utf-8"}
        small = ["--buyers", "150", "--seconds", "4"]
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                "from fairwind.cli import main; main()",
                "demo",
                *small,
                "--data",
                str(data),
                *arguments,
            ],
            env=environment | ports,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        self.text = ""
        self._grown = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            with self._grown:
                self.text += line
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    def until(self, pattern: str) -> re.Match[str]:
        """Wait for what it prints."""
        with self._grown:
            self._grown.wait_for(lambda: re.search(pattern, self.text) or not self._reader.is_alive(), WAIT_S)
        match = re.search(pattern, self.text)
        assert match, self.text
        return match

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> int:
        """Wait for its end; answers its exit status."""
        status = self.process.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return status


@contextmanager
def demo(data: Path, *arguments: str) -> Iterator[Run]:
    run = Run(data, *arguments)
    try:
        yield run
    finally:
        if run.process.poll() is None:
            run.process.kill()
        run.end()


@pytest.fixture(scope="module")
def data() -> Iterator[Path]:
    """A data folder for the runs of this module. Not in pytest's own, which it closes to the database's account."""
    with tempfile.TemporaryDirectory(prefix="fairwind-test-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder, "data")


def test_a_sale_is_held_reported_and_audited_and_its_picture_is_kept(data: Path, tmp_path: Path) -> None:
    picture = tmp_path / "demo.svg"

    with demo(data, "--no-serve", "--picture", str(picture)) as run:
        assert run.end() == 0, run.text

    for told in (
        "Battle report",
        "Settled GMV",
        "Payouts so far",
        "Creators",
        "One order, fen by fen",
        "the sum is 0",
        "Why so much to whom",
        "through each channel",
        "agrees with the ledger to the fen",
        "invariants hold",
        str(data),
    ):
        assert told in run.text
    assert "DISAGREES" not in run.text
    assert "✗" not in run.text
    assert re.search(r"orders +\d+ +\d+ +\d+", run.text)
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_a_second_run_finds_everything_there_speaks_chinese_and_serves_until_it_is_stopped(data: Path) -> None:
    with demo(data, "--lang", "zh") as run:
        url = run.until(r"Fairwind 正在 (http://\S+) ").group(1)
        password = run.until(r"密码：(\S+)").group(1)
        with httpx.Client(base_url=url, trust_env=False) as client:
            for login in re.findall(r"^(\S+@demo)", run.text, re.MULTILINE):
                assert client.post("/sessions", json={"login": login, "password": password}).status_code == 201
            assert client.get("/live-sessions").json()["items"] == []
            assert client.get("/products?limit=1").json()["items"]
        run.interrupt()

        assert run.end() == 0, run.text

    assert "战报" in run.text
    assert "与账本逐分一致" in run.text
    assert "导入 0 个 SKU" in run.text


def test_a_sale_that_is_interrupted_leaves_nothing_running(data: Path) -> None:
    with demo(data, "--no-serve") as run:
        run.until(r"00:0\d +placed")
        children = psutil.Process(run.process.pid).children(recursive=True)
        run.interrupt()

        assert run.end() == 130, run.text

    assert children
    assert not [child for child in psutil.wait_procs(children, timeout=20)[1] if child.is_running()]


def test_without_a_way_to_listen_it_says_so(data: Path) -> None:
    with demo(data, "--host", "192.0.2.1") as run:
        assert run.end() == 1

    assert "cannot listen on 192.0.2.1" in run.text


def test_a_folder_that_is_not_the_demos_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "treasure").write_text("mine")

    with demo(tmp_path) as run:
        assert run.end() == 1

    assert "not the demo's" in run.text
    assert [path.name for path in tmp_path.iterdir()] == ["treasure"]
