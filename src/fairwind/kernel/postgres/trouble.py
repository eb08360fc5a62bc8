"""What goes wrong with a data folder, told so that the reader knows what to do."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_OWN_SERVER = "FAIRWIND_DATABASE_URL can name a PostgreSQL 16 to 18 of your own instead."
_ANOTHER_FOLDER = "name another folder with FAIRWIND_DATA"
_DAMAGED = "The files are damaged: put back a backup, or move the folder away to begin with an empty one."
_DISK_FULL = "The disk is full: free some space, then start again."

# The first sign found in the evidence decides, so causes stand before their consequences.
_ADVICE = (
    ("No space left on device", _DISK_FULL),
    ("Disk quota exceeded", _DISK_FULL),
    ("Check free disk space", _DISK_FULL),
    ("Address already in use", "Another program took its port: start again, and a new port is chosen."),
    ("Cannot allocate memory", "The machine has too little free memory: end something else, then start again."),
    ("Read-only file system", f"The folder is read-only: make it writable, or {_ANOTHER_FOLDER}."),
    ("Permission denied", f"Let the user who starts Fairwind own the folder (chown -R), or {_ANOTHER_FOLDER}."),
    ("Operation not permitted", f"Let the user who starts Fairwind own the folder (chown -R), or {_ANOTHER_FOLDER}."),
    ("No locks available", f"Its file system has no locks: {_ANOTHER_FOLDER}."),
    ("Not a directory", f"A file is in its way: {_ANOTHER_FOLDER}."),
    ("File exists", f"A file is in its way: {_ANOTHER_FOLDER}."),
    ("has invalid permissions", f"Its file system keeps no permissions: {_ANOTHER_FOLDER}."),
    ("invalid locale name", "This system has no locale C.UTF-8: install it."),
    ("cannot open shared object file", "A system library is missing: install the one named below."),
    ("valid checkpoint record", _DAMAGED),
    ("could not find the database system", _DAMAGED),
    ("required WAL directory", _DAMAGED),
    ("pg_control", _DAMAGED),
    ("is missing or invalid", _DAMAGED),
    ("could not open file", _DAMAGED),
    ("could not open directory", _DAMAGED),
    ("invalid page", _DAMAGED),
    ("could not access status of transaction", _DAMAGED),
)


class DataFolderError(Exception):
    """The embedded PostgreSQL cannot run on its data folder. The message says what happened and what to do."""


def trouble(happened: str, evidence: Sequence[str] = ()) -> DataFolderError:
    """happened: whole sentences. evidence: lines of a log or of the system; known causes in it add their advice."""
    text = "\n".join(evidence)
    advice = next((advice for sign, advice in _ADVICE if sign in text), "")
    message = " ".join(filter(None, (happened, advice, _OWN_SERVER)))
    return DataFolderError("\n  ".join((message, *evidence)))


@contextmanager
def told(folder: Path) -> Iterator[None]:
    """Refusals of the operating system inside the block become a DataFolderError."""
    try:
        yield
    except OSError as error:
        raise trouble(
            f"The data folder {folder} cannot be used.", [f"{error.filename or folder}: {error.strerror}"]
        ) from error
