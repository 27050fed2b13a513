"""Tables and plots of the benchmark page."""

from pathlib import Path


def write(results: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
