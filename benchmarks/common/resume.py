"""Long benchmarks run by run: what has been computed is read, what has not is computed and kept."""

import json
import logging
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common.report import commit

_logger = logging.getLogger("benchmarks")

type Found = tuple[dict[str, Any], Mapping[str, np.ndarray]]
"""Figures of a run, with ``train_s`` among them, and its arrays."""


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training; its fields are all that its result depends on."""

    @property
    def name(self) -> str:
        """File name of the result, without suffix."""
        return "_".join(str(value).replace(", ", "-") for value in asdict(self).values())


def results_of[R: Run](
    runs: Iterable[R], folder: Path, measure: Callable[[R], Found]
) -> list[dict[str, Any]]:
    """Return the figures of each run, computed now or by an earlier call."""
    return [result_of(run, folder, measure) for run in runs]


def result_of[R: Run](run: R, folder: Path, measure: Callable[[R], Found]) -> dict[str, Any]:
    """Measure a run, or read what an earlier call found.

    Figures go into ``name.json``, arrays into ``name.npz`` (:func:`arrays_of`).
    """
    path = folder / f"{run.name}.json"
    if not path.is_file():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, arrays = measure(run)
        folder.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, **arrays)
        write_whole(path, json.dumps({**found, "commit": commit()}))
        _logger.info("%s: %.0f s", run.name, found["train_s"])
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def arrays_of(run: Run, folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a run that was measured; nothing if they are not there."""
    path = folder / f"{run.name}.npz"
    if not path.is_file():
        return {}
    with np.load(path) as arrays:
        return dict(arrays)


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all: an interrupted run resumes from what is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.part")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)
