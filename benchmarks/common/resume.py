"""Long benchmarks in parts: what has been computed is read, what has not is computed and kept."""

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.common.report import commit

_logger = logging.getLogger("benchmarks")

type Found = tuple[dict[str, Any], Mapping[str, np.ndarray]]


class Named(Protocol):
    """A part of a benchmark, whose name says all that its result depends on."""

    @property
    def name(self) -> str:
        """File name of the result, without suffix."""


def result_of[P: Named](part: P, folder: Path, run: Callable[[P], Found]) -> dict[str, Any]:
    """Compute a part, or read what an earlier run found.

    Figures go into ``name.json``, arrays into ``name.npz`` (:func:`arrays_of`).
    """
    path = folder / f"{part.name}.json"
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found, arrays = run(part)
        np.savez_compressed(path.with_suffix(".npz"), allow_pickle=False, **arrays)
        # Whole or not at all: an interrupted run resumes from what is there.
        partial = path.with_suffix(".part")
        partial.write_text(json.dumps({**found, "commit": commit()}), encoding="utf-8")
        partial.replace(path)
        _logger.info("%s: %.0f s", part.name, found["train_s"])
    result: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return result


def arrays_of(part: Named, folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a part that was computed; nothing if they are not there."""
    path = folder / f"{part.name}.npz"
    if not path.is_file():
        return {}
    with np.load(path) as arrays:
        return dict(arrays)
