"""The sandbox provider as a supervised child process: started with the platform, started again when it dies."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec
import structlog

from fairwind.kernel import SettingsError

log = structlog.get_logger(__name__)

_START_MAX_S = 30
_STOP_MAX_S = 5
_PAUSE_MAX_S = 10.0


class SandboxProcess:
    """One sandbox provider. key: what it shares with Fairwind; data: the folder of its book; port: 0 takes a free one.

    public_host: where browsers reach its pages, as a URL has it; empty: host. The child gets the key through a pipe,
    and ends when that pipe does: it never outlives us, not even a kill -9.
    """

    def __init__(
        self,
        key: bytes,
        data: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        public_host: str = "",
        log_level: str = "info",
        log_format: str = "json",
    ) -> None:
        self._key = key
        self._arguments = ["--data", str(data), "--host", host, "--public-host", public_host]
        self._arguments += ["--log-level", log_level, "--log-format", log_format]
        self._port = port
        self._child: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None

    @property
    def port(self) -> int:
        """Where it listens, once it was started; it stays the same when the child is started again."""
        assert self._port
        return self._port

    @property
    def pid(self) -> int | None:
        """The child that runs now."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    async def start(self) -> None:
        """Start the child and wait until it listens; SettingsError says what to do when it cannot."""
        self._child = await self._spawn()
        self._watch = asyncio.create_task(self._keep_running(), name="sandbox")

    async def stop(self) -> None:
        """Stop the child and stop keeping it alive."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        if self._child is not None:
            await _ended(self._child)

    async def __aenter__(self) -> SandboxProcess:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _spawn(self) -> asyncio.subprocess.Process:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "fairwind.payments.sandbox", *self._arguments),
            *("--port", str(self._port), "--stop-with-parent"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for us: the child goes when we say so
        )
        try:
            self._port = await asyncio.wait_for(self._introduced(child), _START_MAX_S)
        except BaseException:
            await _ended(child)
            raise
        log.info("sandbox_started", port=self._port, pid=child.pid)
        return child

    async def _introduced(self, child: asyncio.subprocess.Process) -> int:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(self._key.hex().encode() + b"\n")
        line = await child.stdout.readline()
        said = msgspec.json.decode(line, type=dict[str, int | str]) if line else {}
        if "port" not in said:
            raise SettingsError(f"the sandbox payment provider did not start: {said.get('error', 'see the log')}")
        return int(said["port"])

    async def _keep_running(self) -> None:
        pause_s = 0.1
        while True:
            assert self._child is not None
            status = await self._child.wait()
            log.warning("sandbox_died", exit_status=status)
            await asyncio.sleep(pause_s)
            try:
                self._child = await self._spawn()
                pause_s = 0.1
            except (SettingsError, OSError, TimeoutError) as error:
                log.error("sandbox_not_restarted", reason=str(error))  # noqa: TRY400
                pause_s = min(2 * pause_s, _PAUSE_MAX_S)


async def _ended(child: asyncio.subprocess.Process) -> None:
    """End the child: by closing its pipe, and by force when that does not help."""
    if child.stdin is not None:
        child.stdin.close()
    try:
        await asyncio.wait_for(child.wait(), _STOP_MAX_S)
    except TimeoutError:
        child.kill()
        await child.wait()
