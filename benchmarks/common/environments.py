"""Environments of the peers, made when one is first needed and kept in a folder."""

import importlib.util
import logging
import shutil
import subprocess
import sys
from pathlib import Path

import pooch

from benchmarks.common.resume import write_whole

_logger = logging.getLogger("benchmarks")
FOLDER = Path(pooch.os_cache("hzau_omics")) / "peers"
"""Where environments are kept by default: outside of the checkout, whose tests read all code below
``benchmarks``."""
type Environment = tuple[str, ...]
"""Requirements of an environment of its own; empty for the environment of this process."""
STAMP = "requirements.txt"
"""Written into an environment when all of it is installed."""


class EnvironmentMissing(RuntimeError):
    """An environment could not be made; the message says why."""


def python_of(requirements: Environment, folder: Path = FOLDER) -> Path:
    """Return the interpreter of an environment; make it if it is not there.

    Parameters
    ----------
    requirements
        What is installed; the first names the environment.
    folder
        Where environments are kept.

    Raises
    ------
    EnvironmentMissing
        If its packages cannot be installed.
    """
    if not requirements:
        return Path(sys.executable)
    home = folder / requirements[0].replace("==", "-")
    wanted = "\n".join(requirements) + "\n"
    python = home / "bin" / "python"
    stamp = home / STAMP
    if python.exists() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return python
    _logger.info("installing %s", ", ".join(requirements))
    shutil.rmtree(home, ignore_errors=True)
    try:
        _install(home, python, requirements)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", None) or str(error)
        message = f"{', '.join(requirements)} cannot be installed: {said.strip()[-300:]}"
        raise EnvironmentMissing(message) from error
    write_whole(stamp, wanted)
    return python


def _install(home: Path, python: Path, requirements: tuple[str, ...]) -> None:
    """Make an environment with uv where it is at hand, else with pip."""
    uv = _uv()
    if uv:
        _call(*uv, "venv", "-q", "--python", sys.executable, str(home))
        _call(*uv, "pip", "install", "-q", "--python", str(python), *requirements)
        return
    _call(sys.executable, "-m", "venv", str(home))
    _call(str(python), "-m", "pip", "install", "-q", *requirements)


def _uv() -> list[str]:
    if importlib.util.find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else []


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, text=True)
