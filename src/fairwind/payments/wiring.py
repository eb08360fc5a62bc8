"""What payments add to the app, and the sandbox provider that runs beside it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from fairwind.kernel import Database, Platform, Settings, SystemClock, Wiring, secret
from fairwind.payments.client.sandbox import NAME, SandboxProvider
from fairwind.payments.client.signed import SandboxClient
from fairwind.payments.jobs import Reconciliation
from fairwind.payments.payments import Payments
from fairwind.payments.routes import HANDLERS
from fairwind.payments.sandbox.process import SandboxProcess

_ROUND_PAUSE_S = 1.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104


def wire(platform: Platform) -> Wiring:
    """settings.port and settings.sandbox_port must be the real ones by now, not 0."""
    settings = platform.settings
    client = sandbox_client(platform)
    provider = SandboxProvider(
        client,
        callback_url=callback_url(settings, f"/payments/callbacks/{NAME}"),
        return_url=lambda payment: f"{_public_url(settings)}/payments/{payment.shop_id}/{payment.id}",
    )
    payments = Payments(platform, {NAME: provider})
    reconciliation = Reconciliation(payments, platform.clock)
    platform.at_stop(client.close)
    platform.every(_ROUND_PAUSE_S, "ask_about_payments", reconciliation.ask_about_payments)
    platform.every(_ROUND_PAUSE_S, "move_refunds", reconciliation.move_refunds)
    return Wiring(handlers=HANDLERS, provides={"payments": payments})


def sandbox_client(platform: Platform) -> SandboxClient:
    """A way to speak to the sandbox provider that runs beside the platform; close it when the platform stops."""
    settings = platform.settings
    url = f"http://{_reached(settings.host)}:{settings.sandbox_port}"
    return SandboxClient(url, lambda: _key(platform.database), clock=SystemClock())


def callback_url(settings: Settings, path: str) -> str:
    """Where a provider on this machine reaches the route at path."""
    return f"http://{_reached(settings.host)}:{settings.port}{path}"


async def sandbox_process(database: Database, settings: Settings, data: Path) -> SandboxProcess:
    """The sandbox provider for this installation, to be started; its book goes into the folder data.

    Start it before the platform is made, and tell that the port it got: `replace(settings, sandbox_port=process.port)`.
    """
    return SandboxProcess(
        await _key(database),
        data,
        host=settings.host,
        port=settings.sandbox_port,
        public_host=_reached(urlsplit(settings.public_url).hostname or settings.host),
        log_level=settings.log_level,
        log_format=settings.log_format,
    )


async def _key(database: Database) -> bytes:
    return await database.run(lambda tx: secret(tx, f"payments.{NAME}"))


def _public_url(settings: Settings) -> str:
    return settings.public_url or f"http://{_reached(settings.host)}:{settings.port}"


def _reached(host: str) -> str:
    """Where a server that listens on host is reached from this machine, as a URL has it."""
    host = _ANYWHERE.get(host, host)
    return f"[{host}]" if ":" in host else host
