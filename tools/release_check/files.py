"""Checks of the files that are published, before anything is installed."""

from collections.abc import Iterator
from pathlib import Path

from tools.release_check.build import (
    LARGEST_WHEEL,
    Built,
    differences,
    foreign_files,
    missing_files,
)
from tools.release_check.commands import CommandFailed
from tools.release_check.trial import Outcome, timed


def of_built(built: Built, root: Path, folder: Path, python: str, log: Path) -> Iterator[Outcome]:
    """Yield the outcomes of what is checked of the built files."""
    yield timed("what the wheel holds", lambda: contents(built.wheel, root))
    yield timed(
        "the source archive builds the same wheel", lambda: _same(built, folder, python, log)
    )


def contents(wheel: Path, root: Path) -> str:
    """Return the size of a wheel in words.

    Raises
    ------
    CommandFailed
        It is too large, holds files that do not belong into it, or lacks some of the checkout's.
    """
    if foreign := foreign_files(wheel):
        raise CommandFailed("\n".join(["The wheel holds", *foreign]))
    if missing := missing_files(wheel, root):
        raise CommandFailed("\n".join(["The wheel lacks", *missing]))
    size = wheel.stat().st_size
    if size > LARGEST_WHEEL:
        msg = f"The wheel has {size / 2**20:.1f} MiB, more than {LARGEST_WHEEL / 2**20:.0f}."
        raise CommandFailed(msg)
    return f"{size / 2**20:.1f} MiB"


def _same(built: Built, folder: Path, python: str, log: Path) -> str:
    if files := differences(built, folder / "again", python, log):
        raise CommandFailed("\n".join(["Other in the wheel from the source archive:", *files]))
    return ""
