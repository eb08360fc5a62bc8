"""Published scores from files that anybody may hand in: looked at before they are read."""

from __future__ import annotations

import json
import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fairwind.bench.traffic.published import Published, read

_LAYOUTS = {"coo": ("row", "col"), "csr": ("indices", "indptr"), "csc": ("indices", "indptr")}
_LARGEST = 100_000_000


class BadFileError(ValueError):
    """A file is not what the benchmark reads. The message says which, and why."""


class Pair(NamedTuple):
    """Published scores, and how many items their matrix has."""

    published: Published
    items: int


def pair(scores: Path, publishers: Path) -> Pair:
    """Read both files. Raises BadFileError when one is missing, damaged, or does not fit."""
    try:
        users, items = _checked_scores(scores)
    except (OSError, BadFileError) as error:
        raise _bad(scores, error) from None
    except (ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error):
        raise BadFileError(f"{scores}: is damaged, or holds something else than numbers") from None
    try:
        _check_publishers(publishers)
    except (OSError, ValueError) as error:
        raise _bad(publishers, error) from None
    published = read(scores, publishers)
    assert len(published.requests) == users
    return Pair(published, items)


def _bad(path: Path, error: Exception) -> BadFileError:
    if isinstance(error, BadFileError):
        return BadFileError(f"{path}: {error}")
    if isinstance(error, OSError) and error.strerror:
        return BadFileError(f"{path}: {error.strerror}")
    return BadFileError(f"{path}: {error or 'cannot be read'}")


def _checked_scores(path: Path) -> tuple[int, int]:
    """Users and items of the matrix."""
    with path.open("rb") as opened:
        if not zipfile.is_zipfile(opened):
            raise BadFileError("is not an .npz file")
    with np.load(path, allow_pickle=False) as file:
        _need(file, ("data", "shape"))
        layout = _layout(file)
        _need(file, _LAYOUTS[layout])
        shape, data = file["shape"], file["data"]
        if shape.shape != (2,) or shape.dtype.kind not in "iu" or shape.min() < 1:
            raise BadFileError(f"shape must be users and items, two whole numbers above 0, not {shape.tolist()}")
        users, items = int(shape[0]), int(shape[1])
        if max(users, items) > _LARGEST:
            raise BadFileError(
                f"shape must be at most {_LARGEST:,} users and as many items, not {users:,} and {items:,}"
            )
        if data.ndim != 1 or data.dtype.kind not in "iuf":
            raise BadFileError("data must be a list of numbers")
        if not len(data):
            raise BadFileError("has no scores")
        if not np.isfinite(data).all() or data.min() < 0:
            raise BadFileError("scores must be finite numbers from 0")
        if layout == "coo":
            _check_index(file["row"], len(data), users, "row")
            _check_index(file["col"], len(data), items, "col")
        else:
            outer, inner = (users, items) if layout == "csr" else (items, users)
            _check_index(file["indices"], len(data), inner, "indices")
            _check_starts(file["indptr"], len(data), outer)
    return users, items


def _need(file: np.lib.npyio.NpzFile, names: tuple[str, ...]) -> None:
    missing = [name for name in names if name not in file]
    if missing:
        raise BadFileError(f"lacks {', '.join(missing)}; a SciPy sparse matrix in COO, CSR or CSC layout is read")


def _layout(file: np.lib.npyio.NpzFile) -> str:
    if "format" not in file:
        return "coo" if "row" in file else "csr"
    stored = file["format"].item()
    layout = stored.decode(errors="replace") if isinstance(stored, bytes) else str(stored)
    if layout not in _LAYOUTS:
        raise BadFileError(f"is in {layout} layout; COO, CSR and CSC are read")
    return layout


def _check_index(index: np.ndarray, count: int, end: int, name: str) -> None:
    if index.shape != (count,) or index.dtype.kind not in "iu":
        raise BadFileError(f"{name} must be whole numbers, as many as data")
    if index.min() < 0 or index.max() >= end:
        raise BadFileError(f"{name} must be from 0 to {end - 1:,}, as shape has it")


def _check_starts(starts: np.ndarray, count: int, outer: int) -> None:
    if starts.shape != (outer + 1,) or starts.dtype.kind not in "iu":
        raise BadFileError(f"indptr must be {outer + 1:,} whole numbers, as shape has it")
    if starts[0] != 0 or starts[-1] != count or (np.diff(starts.astype(np.int64)) < 0).any():
        raise BadFileError("indptr must rise from 0 to the number of scores")


def _check_publishers(path: Path) -> None:
    owners = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(owners, dict):
        raise BadFileError("must be one JSON object of item and publisher")
    for item, owner in owners.items():
        if not item.isdecimal():
            raise BadFileError(f"items must be whole numbers from 0, not {item!r}")
        if isinstance(owner, bool) or not str(owner).isdecimal() or int(owner) >= 2**31:
            raise BadFileError(f"publishers must be whole numbers from 0, not {owner!r} of item {item}")
