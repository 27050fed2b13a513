"""Data sets of which held-out cells' measurements are made to fail."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import mudata
import numpy as np
from mudata import MuData
from scipy import sparse

from benchmarks.common.data import find_file, held_out
from benchmarks.reliability.corruptions import Donors, Values
from benchmarks.table1.data import read_task as read_described
from hzau_omics.data import image_mudata

UNKNOWN = ("unknown", "Mis")


@dataclass(frozen=True, kw_only=True)
class Task:
    """Training and held-out cells.

    Attributes
    ----------
    train, test
        Cells with both modalities, values dense in the test part.
    modalities
        Likelihood of each.
    label_key, batch_key
        Columns of ``obs``.
    """

    train: MuData
    test: MuData
    modalities: Mapping[str, str]
    label_key: str
    batch_key: str | None = None

    def labels(self, part: MuData) -> np.ndarray:
        """Return labels as text; "" where the label is none."""
        found = part.obs[self.label_key].astype(str).to_numpy()
        return np.where(np.isin(found, UNKNOWN), "", found)

    def donors(self, modality: str) -> Donors:
        """Return what failed measurements of the test cells take their counts from."""
        train, test = dense(self.train, modality), dense(self.test, modality)
        other = None
        if self.batch_key is not None:
            of_train, of_test = (
                part.obs[self.batch_key].astype(str).to_numpy() for part in (self.train, self.test)
            )
            names = np.unique(of_train)
            means = np.stack([train[of_train == name].mean(0) for name in names])
            if len(names) > 1:
                rng = np.random.default_rng(0)
                others = [rng.choice(np.flatnonzero(names != name)) for name in of_test]
                other = means[others]
        return Donors(
            profile=train.mean(0),
            other_profile=other,
            partner=_derangement(len(test)),
        )


def _derangement(n: int) -> np.ndarray:
    """Return another position for each."""
    order = np.random.default_rng(1).permutation(n)
    partner = np.empty(n, dtype=np.int64)
    partner[order] = np.roll(order, 1)
    return partner


def dense(mdata: MuData, modality: str) -> Values:
    """Return the values of a modality, rows in the order of ``mdata.obs_names``."""
    x = mdata[modality][mdata.obs_names].X
    return np.asarray(x.toarray() if sparse.issparse(x) else x, dtype=np.float32)


def with_values(mdata: MuData, modality: str, x: Values) -> MuData:
    """Return a copy with other values of one modality."""
    out = mdata.copy()
    out[modality].X = x[out[modality].obs_names.get_indexer(out.obs_names).argsort()]
    return out


def read_task(name: str, n_cells: int) -> Task:
    """Read a data set by its name, at most so many cells of it."""
    return READERS[name](n_cells)


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
    found = read_described("pbmc10k-text", n_cells, n_cells)
    return Task(
        train=found.train, test=found.test, modalities=found.modalities, label_key="cell_type"
    )


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
