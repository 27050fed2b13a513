"""One method on one task with one seed, as a process of its own that leaves two files."""

import hashlib
import json
import logging
import os
import signal
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from benchmarks.common.environments import FOLDER, Environment, EnvironmentMissing, python_of
from benchmarks.common.report import commit
from benchmarks.common.resume import write_whole

_logger = logging.getLogger("benchmarks")
ROOT = Path(__file__).resolve().parents[2]
OK, CUT, FAILED, UNSUPPORTED, NO_ENVIRONMENT = (
    "ok", "cut", "failed", "unsupported", "no environment",
)  # fmt: skip
"""What became of a run; a run that was cut may still have a result."""
PACKAGE = ROOT / "hzau_omics"


class Content(Protocol):
    """What a method is given: written to a file that its process reads."""

    def save(self, path: Path) -> None:
        """Write to an NPZ."""

    def pieces(self) -> Iterator[bytes]:
        """Yield what it holds, for a digest."""


class Runnable[Given: Content](Protocol):
    """A method as the runner sees it."""

    @property
    def name(self) -> str:
        """Name."""

    @property
    def environment(self) -> Environment:
        """Requirements of its environment."""

    @property
    def file(self) -> Path:
        """File with its code."""

    def sources(self) -> list[Path]:
        """Return the files that decide what it does."""

    def refusal(self, given: Given, /) -> str | None:
        """Return why it does not take what it is given; None if it does."""


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Where runs leave their files, and what limits them.

    Attributes
    ----------
    folder
        Of all files but the environments.
    worker
        Module that runs a method's file (:mod:`benchmarks.common.worker`).
    environments
        Folder of the peers' environments.
    minutes
        Time limit of a run.
    threads
        Threads of a run.
    retry
        Whether to repeat runs that were cut or failed.
    """

    folder: Path
    worker: str
    environments: Path = FOLDER
    minutes: float = 60
    threads: int = 1
    retry: bool = False

    def path(self, task: str, method: str, seed: int) -> Path:
        """Return the path of a run's files, without suffix."""
        return self.folder / "runs" / f"{task}_{method}_{seed}"

    def cells_path(self, task: str, seed: int) -> Path:
        """Return the path of what a task's methods are given."""
        return self.folder / "cells" / f"{task}_{seed}.npz"

    def record[Given: Content](
        self, task: str, method: Runnable[Given], seed: int, cells: Given
    ) -> dict[str, Any]:
        """Return what a run left, or run it: status, reason, and figures of a run that ended."""
        reason = method.refusal(cells)
        if reason is not None:
            return {"status": UNSUPPORTED, "reason": reason}
        path = self.path(task, method.name, seed)
        code = digest_of(method, cells)
        kept = _kept(path, code, retry=self.retry)
        if kept is not None:
            return kept
        cells_path = self.cells_path(task, seed)
        cells.save(cells_path)
        try:
            python = python_of(method.environment, self.environments)
        except EnvironmentMissing as error:
            return {"status": NO_ENVIRONMENT, "reason": str(error)}
        _logger.info("%s ...", path.name)
        found = self._process(python, method.file, cells_path, seed, path)
        found |= {
            "code": code,
            "commit": commit(),
            "minutes": self.minutes,
            "threads": self.threads,
        }
        write_whole(path.with_suffix(".json"), json.dumps(found, indent=1))
        _logger.info("%s: %s %s", path.name, found["status"], found.get("reason", ""))
        return found

    def _process(
        self, python: Path, file: Path, cells_path: Path, seed: int, path: Path
    ) -> dict[str, Any]:
        path.parent.mkdir(parents=True, exist_ok=True)
        for suffix in (".json", ".npz", ".measures.json"):
            path.with_suffix(suffix).unlink(missing_ok=True)
        seconds = self.minutes * 60
        words = [
            str(python.absolute()), "-m", self.worker, str(file),
            str(cells_path.absolute()), str(seed), str(seconds), str(path.absolute()),
        ]  # fmt: skip
        log = path.with_suffix(".log")
        with log.open("w", encoding="utf-8") as said:
            process = subprocess.Popen(
                words,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=ROOT,
                env=_settings(self.threads),
                start_new_session=True,
            )
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                return {"status": CUT, "reason": f"stopped after {self.minutes:g} minutes"}
            finally:
                _end(process)
        record = path.with_suffix(".json")
        if process.returncode or not record.is_file():
            return {"status": FAILED, "reason": last_line(log.read_text(encoding="utf-8"))}
        found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
        if found["cut"]:
            reason = f"training stopped by the limit of {self.minutes:g} minutes"
            return {**found, "status": CUT, "reason": reason}
        return {**found, "status": OK, "reason": ""}


def digest_of_files(files: Iterable[Path]) -> str:
    """Return a digest of what files hold."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]


def digest_of[Given: Content](method: Runnable[Given], cells: Given) -> str:
    """Return a digest of all that a run depends on: cells, the method's code, its requirements."""
    found = hashlib.sha256("\n".join(method.environment).encode())
    found.update(digest_of_files(method.sources()).encode())
    for piece in cells.pieces():
        found.update(piece)
    return found.hexdigest()[:16]


def imported(file: Path, among: Iterable[Path]) -> list[Path]:
    """Return those of some modules of the benchmarks that a file imports from."""
    text = file.read_text(encoding="utf-8")
    names = {one: ".".join(one.relative_to(ROOT).with_suffix("").parts) for one in among}
    return [one for one, name in names.items() if f"from {name} import" in text]


def package_sources() -> list[Path]:
    """Return the files of the package, on which all of our own methods depend."""
    return sorted(PACKAGE.rglob("*.py"))


def last_line(text: str) -> str:
    """Return the last line that a process said: of an error, what it is."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it ended without a word"


def _kept(path: Path, code: str, *, retry: bool) -> dict[str, Any] | None:
    record = path.with_suffix(".json")
    if not record.is_file():
        return None
    found: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    if found.get("code") != code or (retry and found["status"] != OK):
        return None
    return found


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that still runs, with all that it started: they are a session of their own."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _settings(threads: int) -> Mapping[str, str]:
    """Return the environment variables of a run."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "NUMBA", "VECLIB")
    limits = {f"{name}_NUM_THREADS": str(threads) for name in names}
    others = {"PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"}
    # Compiled modules are kept: each run is a new process, and would compile torch and all else.
    others["PYTHONDONTWRITEBYTECODE"] = ""
    return {**os.environ, **limits, **others}
