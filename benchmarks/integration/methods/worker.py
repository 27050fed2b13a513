"""One run of one method, in the method's environment: ``worker FILE CELLS SEED SECONDS OUT``.

The embedding goes to ``OUT.npz``; seconds, memory and versions to ``OUT.json``, which is written
last: where it lies, the run is whole.
"""

import importlib.util
import json
import sys
import time
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.common.report import peak_memory_gb
from benchmarks.common.resume import write_whole
from benchmarks.integration.methods.exchange import Cells, Embedding


def work(file: Path, cells_path: Path, seed: int, seconds: float, out: Path) -> dict[str, Any]:
    """Embed the cells of a file; write the embedding, and give what is recorded of the run."""
    warnings.simplefilter("ignore")
    module = _module(file)
    cells = Cells.load(cells_path)
    start, busy = time.perf_counter(), time.process_time()
    found: Embedding = module.embed(cells, seed, seconds)
    took = time.perf_counter() - start
    _check(found, cells)
    found.save(out.with_suffix(".npz"))
    return {
        "seconds": took,
        "processor_seconds": time.process_time() - busy,
        "peak_memory_gb": peak_memory_gb(),
        "versions": {one: metadata.version(one) for one in module.PACKAGES},
        "cut": found.cut,
        "info": dict(found.info),
    }


def _module(file: Path) -> Any:
    # By its file, under a name that no package has: "univi" is one.
    spec = importlib.util.spec_from_file_location(f"method_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _check(found: Embedding, cells: Cells) -> None:
    """Refuse an embedding of other cells, or with values that are no numbers.

    Raises
    ------
    ValueError
        If it is wrong.
    """
    main = found.joint if found.joint is not None else found.distances
    if main is None or len(main) != cells.n:
        rows = "none" if main is None else len(main)
        message = f"An embedding has one row per cell: {cells.n} cells, rows received: {rows}."
        raise ValueError(message)
    n_bad = int((~(abs(main) < float("inf"))).any(axis=1).sum())
    if n_bad:
        message = f"{n_bad} of {cells.n} cells have values in the embedding that are not finite."
        raise ValueError(message)


def main(argv: list[str]) -> None:
    """Run one method, and write the record last."""
    file, cells_path, seed, seconds, out = argv
    record = work(Path(file), Path(cells_path), int(seed), float(seconds), Path(out))
    write_whole(Path(f"{out}.json"), json.dumps(record))


if __name__ == "__main__":
    main(sys.argv[1:])
