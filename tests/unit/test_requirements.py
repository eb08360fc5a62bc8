"""The pinned requirements: complete, hashed, and free of any index or machine."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PIN = re.compile(r"(?P<name>[a-z0-9-]+)==(?P<version>[^\s;]+)(?: ; [^\\]+?)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n")


def pins(kind: str) -> dict[str, str]:
    """name -> version. Anything in the file that is neither a comment nor a hashed pin fails."""
    text = (ROOT / f"requirements/{kind}.txt").read_text()
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    assert PIN.sub("", text) == ""
    return {pin["name"]: pin["version"] for pin in PIN.finditer(text)}


def asked_for(project: dict, kind: str) -> set[str]:
    asked = list(project["project"]["dependencies"])
    groups = project["dependency-groups"]
    for group in ("build",) if kind == "runtime" else ("build", "dev"):
        asked += [line for line in groups[group] if isinstance(line, str)]
    return {re.match(r"[\w.-]+", line)[0].lower().replace("_", "-") for line in asked}


@pytest.mark.parametrize("kind", ["runtime", "dev"])
def test_every_dependency_is_pinned_with_hashes_and_no_line_names_an_index(kind):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())

    assert asked_for(project, kind) <= pins(kind).keys(), "run `make lock`"


def test_developing_uses_the_versions_that_running_uses():
    assert pins("runtime").items() <= pins("dev").items()
