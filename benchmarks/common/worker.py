"""One run of one method, in the method's environment: ``worker FILE GIVEN SEED SECONDS OUT``.

A benchmark's worker calls :func:`run_worker`. The result goes to ``OUT.npz``; seconds, memory and
versions to ``OUT.json``, which is written last: where it lies, the run is whole.
"""

import importlib.util
import json
import time
import warnings
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

from benchmarks.common.report import peak_memory_gb
from benchmarks.common.resume import write_whole


class Result(Protocol):
    """What a method gives back."""

    @property
    def cut(self) -> bool:
        """Whether training was stopped by the time limit."""

    @property
    def info(self) -> Mapping[str, Any]:
        """What else is worth recording."""

    def save(self, path: Path) -> None:
        """Write to an NPZ."""


def run_worker[Given](
    argv: list[str],
    load: Callable[[Path], Given],
    answer: Callable[[Any, Given, int, float], Result],
) -> None:
    """Run one method, and write the record last.

    Parameters
    ----------
    argv
        The five words of the command line.
    load
        Reads what the method is given.
    answer
        Called with the method's module, what it is given, the seed and the limit in seconds.
    """
    file, given, seed, seconds, out = argv
    warnings.simplefilter("ignore")
    module = _module(Path(file))
    data = load(Path(given))
    start, busy = time.perf_counter(), time.process_time()
    found = answer(module, data, int(seed), float(seconds))
    record = {
        "seconds": time.perf_counter() - start,
        "processor_seconds": time.process_time() - busy,
        "peak_memory_gb": peak_memory_gb(),
        "versions": {one: metadata.version(one) for one in module.PACKAGES},
        "cut": found.cut,
        "info": dict(found.info),
    }
    found.save(Path(f"{out}.npz"))
    write_whole(Path(f"{out}.json"), json.dumps(record))


def _module(file: Path) -> Any:
    # By its file, under a name that no package has: "univi" is one.
    spec = importlib.util.spec_from_file_location(f"method_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
