"""The six integrations: which cells, batches, modalities and labels each has."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import mudata
import numpy as np
import pandas as pd
from mudata import MuData
from scipy import sparse

from benchmarks.common.data import find_file
from benchmarks.common.task import UNKNOWN
from benchmarks.integration.methods.exchange import CHROMATIN, PROTEIN, RNA, Cells
from benchmarks.scoreboard.tasks import TWO_BATCHES

SNARE_SEQ = "multiome_snareseq_mouse_cortex.h5mu"
FROM_LARGER, FROM_SMALLER = 1_300, 700
"""Cells drawn from each of the two batches of PBMCs."""
NO_TYPE = (*UNKNOWN, "other", "nan")
"""Labels that name no cell type."""
KINDS = {"rna": RNA, "adt": PROTEIN, "prot": PROTEIN, "atac": CHROMATIN}
"""What the files call the modalities."""


@dataclass(frozen=True, kw_only=True)
class TaskData:
    """Cells as a method gets them, and their types, which only the measures see.

    Attributes
    ----------
    cells
        The cells.
    labels
        Type of each cell; "" where it is not known.
    """

    cells: Cells
    labels: np.ndarray


@dataclass(frozen=True, kw_only=True)
class IntegrationTask:
    """One integration.

    Attributes
    ----------
    name
        Its letter.
    what
        What it is, in a few words.
    read
        Reads the data for a seed.
    """

    name: str
    what: str
    read: Callable[[int], TaskData]


def demo_mosaic(seed: int) -> TaskData:
    """Return the mosaic of the demo without its text; a seed hides other cells' protein."""
    from hzau_omics.demo.dataset import TEXT, prepare

    mdata = prepare(seed).mdata
    parts = {name: part for name, part in mdata.mod.items() if name != TEXT}
    kept = MuData(parts)
    for column in ("batch", "cell_type"):
        kept.obs[column] = mdata.obs[column].reindex(kept.obs_names)
    return as_task(kept)


def two_batches(seed: int, *, lacking: str | None = None) -> TaskData:
    """Return cells of two batches of PBMCs; the smaller batch may lack a modality.

    The draw of cells does not depend on the seed.
    """
    mdata = mudata.read_h5mu(find_file(TWO_BATCHES))
    batch = mdata.obs["batch"].astype(str).to_numpy()
    rng = np.random.default_rng(0)
    names, sizes = np.unique(batch, return_counts=True)
    larger = names[sizes.argmax()]
    drawn = [
        rng.permutation(np.flatnonzero(batch == name))[
            : FROM_LARGER if name == larger else FROM_SMALLER
        ]
        for name in names
    ]
    mdata = mdata[np.sort(np.concatenate(drawn))].copy()
    batch = mdata.obs["batch"].astype(str).to_numpy()
    return as_task(mdata, {} if lacking is None else {lacking: batch != larger})


def snare_seq(seed: int, *, mosaic: bool = False) -> TaskData:
    """Return SNARE-seq; as a mosaic, four libraries are paired, four RNA only, four chromatin only.

    Libraries are taken in the order of their names.
    """
    mdata = mudata.read_h5mu(find_file(SNARE_SEQ))
    batch = mdata.obs["batch"].astype(str).to_numpy()
    third = np.array_split(np.unique(batch), 3)
    lacking = {"atac": np.isin(batch, third[1]), "rna": np.isin(batch, third[2])}
    return as_task(mdata, lacking if mosaic else {})


def as_task(mdata: MuData, lacking: Mapping[str, np.ndarray] | None = None) -> TaskData:
    """Return what a method and the measures get of a MuData.

    Parameters
    ----------
    mdata
        Cells with ``batch`` and ``cell_type`` in ``obs``.
    lacking
        Cells whose values of a modality are left out.
    """
    names = mdata.obs_names.astype(str).to_numpy()
    batch = mdata.obs["batch"].astype(str).to_numpy()
    counts, present, features, measured = {}, {}, {}, {}
    for name, adata in mdata.mod.items():
        m = KINDS.get(name, name)
        rows = adata.obs_names.get_indexer(names)
        there = (rows >= 0) & ~(lacking or {}).get(name, np.zeros(len(names), dtype=bool))
        chosen = sparse.csr_matrix(adata.X)[rows[there]]
        indptr = np.zeros(len(names) + 1, dtype=np.int64)
        indptr[1:][there] = np.diff(chosen.indptr)
        x = sparse.csr_matrix(
            (chosen.data, chosen.indices, indptr.cumsum()), shape=(len(names), adata.n_vars)
        )
        counts[m], present[m] = x.astype(np.float32), there
        features[m] = adata.var_names.astype(str).to_numpy()
        measured[m] = _measured(adata.var, np.unique(batch))
    labels = mdata.obs["cell_type"].astype(str).to_numpy()
    cells = Cells(
        names=names,
        batch=batch,
        counts=counts,
        present=present,
        features=features,
        measured=measured,
    )
    return TaskData(cells=cells, labels=np.where(np.isin(labels, NO_TYPE), "", labels))


def _measured(var: pd.DataFrame, batches: np.ndarray) -> np.ndarray:
    columns = [f"measured_{name}" for name in batches]
    if not set(columns) <= set(var.columns):
        return np.ones((len(batches), len(var)), dtype=bool)
    return var[columns].to_numpy(dtype=bool).T


TASKS: Mapping[str, IntegrationTask] = {
    task.name: task
    for task in (
        IntegrationTask(name="a", what="mosaic of PBMCs: RNA, protein", read=demo_mosaic),
        IntegrationTask(name="b", what="two batches of PBMCs, paired", read=two_batches),
        IntegrationTask(
            name="c",
            what="two batches of PBMCs, one RNA only",
            read=lambda seed: two_batches(seed, lacking="prot"),
        ),
        IntegrationTask(
            name="d",
            what="two batches of PBMCs, one protein only",
            read=lambda seed: two_batches(seed, lacking="rna"),
        ),
        IntegrationTask(name="e", what="SNARE-seq, paired", read=snare_seq),
        IntegrationTask(
            name="f",
            what="SNARE-seq, a mosaic",
            read=lambda seed: snare_seq(seed, mosaic=True),
        ),
    )
}
