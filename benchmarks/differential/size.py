"""Seconds and memory of tables of many cells and genes, which are drawn at random."""

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from benchmarks.common.process import answer, in_process
from benchmarks.common.report import peak_memory_gb, set_threads
from benchmarks.common.resume import Found
from benchmarks.differential.data import RNA, Data
from benchmarks.differential.models import ours
from benchmarks.differential.parts import Part, Settings, Task

NAME, GROUP = "size", "group"
FORMS = {"one": "HZAU-VAE, one group", "all": "HZAU-VAE, all groups"}
SIZES = {False: (200_000, 20_000), True: (2_000, 500)}
"""Cells and genes; whether quick."""
N_BLOCKS, N_GROUPS, N_BATCHES, READS = 20, 20, 10, 0.07
"""Repeats of the drawn cells; what they are dealt into; counts of a cell per gene."""


@dataclass(frozen=True, kw_only=True)
class SizeRun:
    """One table.

    Attributes
    ----------
    form
        Which groups are compared.
    quick, threads
        As in the settings.
    """

    form: str
    quick: bool
    threads: int


def parts(settings: Settings) -> list[Part]:
    """Return one part for each form."""
    cells, genes = SIZES[settings.quick]
    return [settings.part(NAME, f"{cells:,} cells, {genes:,} genes", form, 0) for form in FORMS]


def measure(part: Part, settings: Settings) -> Found:
    """Make the table in a process of its own, with a model of one epoch."""
    run = SizeRun(form=part.method, quick=part.quick, threads=settings.threads)
    found = in_process("benchmarks.differential.size", run, part.name)
    return {**found, "train_s": found["seconds"]}, {}


def drawn(*, quick: bool) -> Data:
    """Return cells of one distribution, dealt into groups and batches at random."""
    n_cells, n_genes = SIZES[quick]
    rng = np.random.default_rng(0)
    block, reads = n_cells // N_BLOCKS, round(READS * n_genes)
    share = np.cumsum(rng.lognormal(0, 1.6, n_genes))
    genes = np.searchsorted(share / share[-1], rng.random(block * reads))
    rows = np.repeat(np.arange(block), reads)
    values = np.ones(len(genes), np.float32)
    x = sparse.csr_matrix((values, (rows, genes)), shape=(block, n_genes))
    obs = pd.DataFrame(index=[f"cell{i}" for i in range(n_cells)])
    obs[GROUP] = rng.integers(N_GROUPS, size=n_cells).astype(str)
    obs["batch"] = rng.integers(N_BATCHES, size=n_cells).astype(str)
    var = pd.DataFrame(index=[f"gene{i}" for i in range(n_genes)])
    whole = sparse.vstack([x] * N_BLOCKS, format="csr")
    mdata = MuData({RNA: AnnData(whole, obs[[]], var)})
    mdata.obs = obs
    return Data(mdata=mdata, likelihoods={RNA: "nb"}, batch_key="batch", types=())


def timed(run: SizeRun) -> dict[str, Any]:
    """Return seconds and memory of a table."""
    set_threads(run.threads)
    model = ours(drawn(quick=run.quick), epochs=1, seed=0)
    before, busy, start = peak_memory_gb(), time.process_time(), time.perf_counter()
    group = "0" if run.form == "one" else None
    table = model.differential_expression(RNA, GROUP, group, seed=0)
    return {
        "seconds": time.perf_counter() - start,
        "processor seconds": time.process_time() - busy,
        "peak memory, GB": peak_memory_gb(),
        "before, GB": before,
        "rows": float(len(table)),
    }


TASKS = (
    Task(
        name=NAME,
        what="many cells and genes, one group or all against the rest",
        parts=parts,
        measure=measure,
        titles=FORMS,
    ),
)

if __name__ == "__main__":
    answer(SizeRun, timed)
