"""Run the sandbox provider: `python -m fairwind.payments.sandbox --data FOLDER < KEY`.

Standard input brings, on its first line, the merchant's key in hex: it stands neither on the command line nor in the
environment, where others could read it. Standard output says, on one line of JSON, the port or what is wrong.
"""

from __future__ import annotations

import argparse
import errno
import logging
import os
import socket
import sys
import threading
from pathlib import Path

import msgspec
import uvicorn

from fairwind.kernel import SystemClock
from fairwind.kernel.logs import set_up
from fairwind.payments.sandbox.book import Book
from fairwind.payments.sandbox.server import make_app

_KEY_BYTES_MIN = 16


def main() -> int:
    given = _arguments()
    try:
        key = bytes.fromhex(sys.stdin.readline())
    except ValueError:
        key = b""
    if len(key) < _KEY_BYTES_MIN:
        return _refuse("standard input must begin with the merchant's key: a line of 32 or more hex digits")
    try:
        listener = _listen(given.host, given.port)
    except OSError as error:
        return _refuse(_why_not(error, given.host, given.port))
    port = listener.getsockname()[1]
    given.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    book = Book(given.data / "sandbox.sqlite", f"http://{given.public_host or given.host}:{port}")
    server = uvicorn.Server(
        uvicorn.Config(
            make_app(book, key, SystemClock()),
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=3,
        )
    )
    if given.stop_with_parent:
        threading.Thread(target=_stop_with_parent, args=(server,), daemon=True).start()
    _say({"port": port})
    server.run(sockets=[listener])
    book.close()
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m fairwind.payments.sandbox", description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the provider's book")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes a free one")
    parser.add_argument("--public-host", default="", help="how browsers reach the pay page, when not at HOST")
    parser.add_argument("--log-level", default="info")
    parser.add_argument("--log-format", choices=("text", "json"), default="text")
    parser.add_argument("--stop-with-parent", action="store_true", help="stop when standard input ends")
    given = parser.parse_args()
    set_up(given.log_level, given.log_format)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    return given


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    listener.listen(1024)
    return listener


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} is in use; set sandbox_port (FAIRWIND_SANDBOX_PORT) to a free one, or to 0"
    return f"cannot listen on {host}:{port}: {error.strerror}"


def _stop_with_parent(server: uvicorn.Server) -> None:
    # The parent holds the other end of this pipe, so that however it ends, standard input ends with it.
    while os.read(sys.stdin.fileno(), 1024):
        pass
    server.should_exit = True


def _say(fact: dict[str, object]) -> None:
    sys.stdout.write(msgspec.json.encode(fact).decode() + "\n")
    sys.stdout.flush()


def _refuse(reason: str) -> int:
    _say({"error": reason})
    return 1


if __name__ == "__main__":
    sys.exit(main())
