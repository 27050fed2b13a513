"""Data sets of which held-out cells' measurements are made to fail."""

from collections.abc import Callable, Mapping

import mudata
import numpy as np

from benchmarks.common.data import find_file, held_out
from benchmarks.common.task import Task
from benchmarks.table1.data import READERS as OBSERVATIONS
from hzau_omics.data import image_mudata


def _cells(
    file: str, modalities: Mapping[str, str], label_key: str, batch_key: str | None = None
) -> Callable[[int], Task]:
    def read(n_cells: int) -> Task:
        mdata = mudata.read_h5mu(find_file(file))
        chosen = np.sort(np.random.default_rng(0).permutation(mdata.n_obs)[:n_cells])
        mdata = mdata[chosen].copy()
        for name, likelihood in modalities.items():
            if likelihood == "bernoulli":
                mdata[name].X = (mdata[name].X > 0).astype(np.float32)
        train, test = (mdata[rows].copy() for rows in held_out(mdata.n_obs))
        return Task(
            train=train, test=test, modalities=modalities, label_key=label_key, batch_key=batch_key
        )

    return read


def _fashion(n_cells: int) -> Task:
    arrays = np.load(find_file("fashion_mnist_full.npz"))
    train, test = (
        image_mudata(
            arrays[f"x_{part}"][:n], arrays[f"y_{part}"][:n], pixels="sampled", n_classes=10, seed=i
        )
        for i, (part, n) in enumerate((("train", n_cells), ("test", min(2000, n_cells // 4))))
    )
    return Task(
        train=train,
        test=test,
        modalities={"image": "bernoulli", "label": "categorical"},
        label_key="class",
    )


def _described(n_cells: int) -> Task:
    """Give RNA and the Cell Ontology's definition of the type, for types that it has."""
    return OBSERVATIONS["pbmc10k-text"](n_cells, n_cells)


READERS: dict[str, Callable[[int], Task]] = {
    "pbmc10k": _cells("citeseq_pbmc10k_totalvi.h5mu", {"rna": "nb", "prot": "nb"}, "cell_type"),
    "snareseq": _cells(
        "multiome_snareseq_mouse_cortex.h5mu",
        {"rna": "nb", "atac": "bernoulli"},
        "cell_type",
        "batch",
    ),
    "bmmc": _cells(
        "citeseq_bmmc_neurips2021_starter.h5mu", {"rna": "nb", "prot": "nb"}, "cell_type", "batch"
    ),
    "fashionmnist": _fashion,
    "pbmc10k-text": _described,
}
"""Reads at most so many cells of a data set."""
