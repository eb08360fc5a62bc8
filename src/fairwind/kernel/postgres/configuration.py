"""What the server is told: its files are written anew at each start, so editing them is of no use."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from fairwind.kernel.postgres.account import Account
from fairwind.kernel.postgres.cluster import DATABASE, OWNER
from fairwind.kernel.postgres.folder import DataFolder, write

_DURABILITY = ("fsync", "synchronous_commit", "full_page_writes")

_PORT = 5432
_SOCKET_BYTES_MAX = 103
"""The longest socket path that Linux (107) and macOS (103) both take."""
_MEGABYTE = 1 << 20


@dataclass(frozen=True)
class Address:
    """Where the server listens: a socket in a closed folder, or where its path is too long a port of this machine."""

    run: Path
    port: int = _PORT
    password: str = ""

    @property
    def url(self) -> str:
        if self.password:
            return f"postgresql://{OWNER}:{quote(self.password)}@127.0.0.1:{self.port}/{DATABASE}?sslmode=disable"
        return f"postgresql://{OWNER}@/{DATABASE}?host={quote(str(self.run), safe='')}&port={self.port}"

    @property
    def settings(self) -> dict[str, str]:
        if self.password:
            return {"listen_addresses": "127.0.0.1", "port": str(self.port), "unix_socket_directories": ""}
        return {
            "listen_addresses": "",
            "port": str(self.port),
            "unix_socket_directories": str(self.run),
            "unix_socket_permissions": "0700",
        }


def socket_fits(run: Path) -> bool:
    """Whether a socket can lie in run. libpq reads a comma as a list of hosts."""
    return len(os.fsencode(run / f".s.PGSQL.{_PORT}")) <= _SOCKET_BYTES_MAX and "," not in str(run)


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def arguments(cluster: Path, settings: Path, durable: bool) -> list[str]:
    """The server's command line. Durability stands here, where neither a file nor ALTER SYSTEM can turn it off."""
    given = {"config_file": str(settings)} | dict.fromkeys(_DURABILITY, "on" if durable else "off")
    return ["-D", str(cluster), *(part for name, value in given.items() for part in ("-c", f"{name}={value}"))]


def write_configuration(folder: DataFolder, address: Address, user: Account) -> Path:
    """Write settings and access rules; answers the settings' path. user: who alone may connect through the socket."""
    place = folder.configuration
    place.mkdir(exist_ok=True)
    place.chmod(0o755)
    hba, ident, settings = (place / name for name in ("pg_hba.conf", "pg_ident.conf", "postgresql.conf"))
    write(hba, f"local all {OWNER} peer map=app\nhost all {OWNER} 127.0.0.1/32 scram-sha-256\n", 0o644)
    write(ident, f'app "{user.name}" {OWNER}\n', 0o644)
    files = {"hba_file": str(hba), "ident_file": str(ident)}
    lines = [f"{name} = {_quoted(value)}\n" for name, value in (_settings() | files | address.settings).items()]
    write(settings, "".join(("# Written by Fairwind at each start.\n", *lines)), 0o644)
    return settings


def _settings() -> dict[str, str]:
    memory_mb = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _MEGABYTE
    return {
        "cluster_name": "fairwind",
        "max_connections": "100",
        "shared_buffers": "256MB" if memory_mb >= 4096 else "128MB",
        "effective_cache_size": f"{memory_mb // 2}MB",
        "wal_buffers": "16MB",
        "min_wal_size": "256MB",
        "max_wal_size": "2GB",  # a burst of orders passes between two checkpoints
        "wal_compression": "off",  # saves a tenth of a batch's log and costs as much time
        "random_page_cost": "1.1",  # solid-state disks
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] ",
        "log_lock_waits": "on",
    }


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace("'", "''")
    return f"'{escaped}'"
