"""Cells per second of whole trainings, by cells per step, beside totalVI's.

The cells of PBMC10k are there several times: a GPU is chosen for more cells than these, and what an
epoch takes besides its steps counts as it would there.
"""

import time
from collections.abc import Iterator

from benchmarks.gpu.cells import repeated
from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import EpochEnds, wait_for_device
from benchmarks.speed.methods import METHODS

OURS, PEER = "hzau-vae", "totalvi"
MOST_EPOCHS = 400


def measure(setting: Setting) -> Iterator[Figure]:
    """Time `train()` for some seconds at each size, after a model that is thrown away."""
    rates: dict[tuple[str, int], float] = {}
    runs = [(OURS, size) for size in setting.sizes.batch_sizes]
    runs[1:1] = [(PEER, size) for size in setting.sizes.peer_batch_sizes]
    for method, size in runs:
        found = _timed(method, size, setting)
        rates[method, size] = found["rate"]
        label = f"{method}, batch {size}"
        yield Figure(name=f"{label}: whole train()", value=found["rate"], unit="cells/s")
        yield Figure(name=f"{label}: epochs", value=int(found["epochs"]))
        yield Figure(name=f"{label}: epochs alone", value=found["steady"], unit="cells/s")
        if method == PEER and (OURS, size) in rates:
            ratio = rates[OURS, size] / found["rate"]
            yield Figure(name=f"times totalVI's cells/s, batch {size}", value=ratio)


def _timed(method: str, size: int, setting: Setting) -> dict[str, float]:
    """Time the epochs that take some seconds; a rate counts all cells, as many as there are."""
    cells = repeated(setting.split().train, setting.sizes.n_repeats)

    def timed(epochs: int) -> tuple[float, EpochEnds]:
        model = METHODS[method](cells.copy(), 0)
        ends, start = EpochEnds(), time.perf_counter()
        model.train(
            epochs,
            batch_size=size,
            accelerator=setting.sizes.accelerator,
            early_stopping=False,
            callbacks=[ends],
        )
        wait_for_device()
        return time.perf_counter() - start, ends

    _, warm = timed(3)
    epochs = round(min(max(setting.sizes.timed_s / warm.per_epoch(), 2), MOST_EPOCHS))
    seconds, ends = timed(epochs)
    return {
        "rate": cells.n_obs * epochs / seconds,
        "epochs": epochs,
        "steady": cells.n_obs / ends.per_epoch(),
    }
