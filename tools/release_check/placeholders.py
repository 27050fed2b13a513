"""What stands for addresses and names that do not exist yet."""

import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

MARKS = ("example.org", "example-maintainer")
"""Parts of every placeholder."""

FILES = (
    "pyproject.toml",
    "CITATION.cff",
    "CODE_OF_CONDUCT.md",
    "CONTRIBUTING.md",
    "README.md",
    "containers/Containerfile",
    "containers/hzau_omics.def",
    "packages/hzau-omics/meta.yaml",
)
"""Files that a reader of a release follows addresses from."""


def placeholders(root: Path, files: Iterable[str] = FILES) -> Iterator[str]:
    """Yield file, line number and content of every line with a placeholder."""
    for name in files:
        lines = (root / name).read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines, start=1):
            if not line.lstrip().startswith("#") and any(mark in line for mark in MARKS):
                yield f"{name}:{number}: {line.strip()}"


def project_urls(root: Path) -> dict[str, str]:
    """Return the addresses of ``pyproject.toml``, of which all other files have copies."""
    text = (root / "pyproject.toml").read_text(encoding="utf-8")
    urls: dict[str, str] = tomllib.loads(text)["project"]["urls"]
    return urls
