"""Run a command and keep what it wrote."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

QUIET = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_HTTP_TIMEOUT": os.environ.get("UV_HTTP_TIMEOUT", "300"),
}
"""Variables of every command: one thread, no display, and only interpreters that are here."""

LAST_LINES = 12


class CommandFailed(RuntimeError):
    """A command failed; the message is the end of what it wrote."""


def run(
    command: Sequence[str | Path],
    *,
    folder: Path,
    log: Path,
    seconds: int = 3600,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a command in a folder, append what it writes to a log, and return that.

    Raises
    ------
    CommandFailed
        Its exit status is not 0, or it took too long.
    """
    words = [str(word) for word in command]
    # The checkout must not be imported in place of what was installed.
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env={**inherited, **QUIET, **(environment or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        status, output = done.returncode, done.stdout
    except OSError as error:
        status, output = -1, f"{error}\n"
    except subprocess.TimeoutExpired as late:
        status, output = -1, f"{_text(late.stdout)}\nstopped after {seconds} seconds\n"
    with log.open("a", encoding="utf-8") as file:
        file.write(f"$ {' '.join(words)}\n{output}\n")
    if status:
        raise CommandFailed("\n".join(output.strip().splitlines()[-LAST_LINES:]))
    return output


def _text(output: str | bytes | None) -> str:
    return output.decode(errors="replace") if isinstance(output, bytes) else output or ""


def uv() -> list[str | Path]:
    """Return the beginning of a command of uv, which `make setup` installs."""
    return [sys.executable, "-m", "uv"]
