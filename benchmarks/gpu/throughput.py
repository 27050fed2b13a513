"""Cells per second of whole trainings, by cells per step, beside totalVI's."""

import time
from collections.abc import Iterator
from typing import Any

from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import wait_for_device
from benchmarks.speed.run import BUILDERS, SpeedRun, Train

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
        if "steady" in found:
            yield Figure(name=f"{label}: epochs alone", value=found["steady"], unit="cells/s")
        if method == PEER and (OURS, size) in rates:
            ratio = rates[OURS, size] / found["rate"]
            yield Figure(name=f"times totalVI's cells/s, batch {size}", value=ratio)


def _timed(method: str, size: int, setting: Setting) -> dict[str, float]:
    """Time the epochs that take some seconds; a rate counts all cells, as many as there are."""
    cells = setting.split().train
    accelerator = setting.sizes.accelerator
    run = SpeedRun(method=method, path="", batch_size=size, epochs=0, accelerator=accelerator)

    def new() -> Train:
        return BUILDERS[method](cells.copy(), run)[1]

    warm = new()
    warm(1)
    seconds, _ = _seconds(warm, 1)
    epochs = round(min(max(setting.sizes.timed_s / seconds, 2), MOST_EPOCHS))
    seconds, curve = _seconds(new(), epochs)
    found = {"rate": cells.n_obs * epochs / seconds, "epochs": epochs}
    if len(curve) > 1:
        between = curve[-1]["seconds"] - curve[0]["seconds"]
        found["steady"] = cells.n_obs * (len(curve) - 1) / between
    return found


def _seconds(train: Train, epochs: int) -> tuple[float, list[Any]]:
    start = time.perf_counter()
    curve = train(epochs)
    wait_for_device()
    return time.perf_counter() - start, curve
