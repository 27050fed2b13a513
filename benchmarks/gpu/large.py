"""A million cells: training, imputation, and memory.

20,000 cells are simulated and each is there 50 times, since simulating all would take minutes; the
cost of a step does not depend on it.
"""

import logging
import time
from collections.abc import Iterator

import numpy as np
from mudata import MuData

from benchmarks.common.report import peak_memory_gb
from benchmarks.gpu.cells import distinct_cells, repeated
from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import (
    EpochEnds,
    forget_peak,
    peak_gpu_gb,
    trained,
    wait_for_device,
)
from hzau_omics.model import HZAUVAE

N_SAMPLES = 25
BESIDES_S = 40.0
"""Seconds kept for set-up, calibration and imputation."""
MARGIN = 0.1
TRIAL_SHARE = 25
"""One in so many copies is trained on first, to see how long an epoch takes."""

_logger = logging.getLogger("benchmarks.gpu")


def measure(setting: Setting) -> Iterator[Figure]:
    """Train for as many of the epochs as fit, and impute protein of many cells."""
    sizes = setting.sizes
    start = time.perf_counter()
    few = distinct_cells(sizes.n_distinct, sizes.n_features)
    cells = repeated(few, sizes.n_copies)
    yield Figure(name="simulating the cells", value=time.perf_counter() - start, unit="s")
    yield Figure(name="cells", value=cells.n_obs)
    yield Figure(name="features", value=sum(sizes.n_features))
    expected = _seconds_per_cell(few, setting) * cells.n_obs * (1 + MARGIN)
    yield Figure(name="expected of an epoch", value=expected, unit="s")
    fitting = int((setting.left_s() - BESIDES_S) / expected)
    epochs = min(max(fitting, 1), sizes.large_epochs)
    if epochs < sizes.large_epochs:
        _logger.info("large: %d of %d epochs fit", epochs, sizes.large_epochs)
    forget_peak()
    start = time.perf_counter()
    model, seconds = trained(
        cells, setting, epochs, batch_size=sizes.large_batch, early_stopping=False
    )
    set_up = time.perf_counter() - start - seconds
    yield Figure(name="set-up", value=set_up, unit="s")
    yield Figure(name="epochs", value=epochs)
    yield Figure(name=f"train() of {epochs} epochs", value=seconds, unit="s")
    yield Figure(name="training", value=cells.n_obs * epochs / seconds, unit="cells/s")
    yield Figure(name="peak GPU memory of training", value=peak_gpu_gb(), unit="GiB")
    yield Figure(name="peak memory of the process", value=peak_memory_gb(), unit="GiB")
    yield from _imputation(model, setting)


def _seconds_per_cell(few: MuData, setting: Setting) -> float:
    """Time epochs of a smaller set, after the first, in which kernels are compiled."""
    cells = repeated(few, max(setting.sizes.n_copies // TRIAL_SHARE, 1))
    ends = EpochEnds()
    trained(
        cells, setting, 3, batch_size=setting.sizes.large_batch, early_stopping=False,
        callbacks=[ends],
    )  # fmt: skip
    return ends.per_epoch() / int(cells.n_obs)


def _imputation(model: HZAUVAE, setting: Setting) -> Iterator[Figure]:
    n = setting.sizes.n_imputed
    start = time.perf_counter()
    model.impute("prot", given=["rna"], indices=np.arange(n), n_samples=N_SAMPLES)
    wait_for_device()
    seconds = time.perf_counter() - start
    name = f"imputing protein of {n:,} cells, {N_SAMPLES} draws"
    yield Figure(name=name, value=seconds, unit="s")
    yield Figure(name="imputing protein", value=n / seconds, unit="cells/s")
