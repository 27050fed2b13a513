"""One run of one method of the integration (:mod:`benchmarks.common.worker`)."""

import sys
from typing import Any

from benchmarks.common.worker import run_worker
from benchmarks.integration.methods.exchange import Cells, Embedding


def answer(module: Any, cells: Cells, seed: int, seconds: float) -> Embedding:
    """Embed the cells, and see that it is an embedding of them."""
    found: Embedding = module.embed(cells, seed, seconds)
    _check(found, cells)
    return found


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


if __name__ == "__main__":
    run_worker(sys.argv[1:], Cells.load, answer)
