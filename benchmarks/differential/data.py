"""Cells of the benchmark, splits of them without a difference, and differences that are made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import mudata
import numpy as np
from mudata import MuData
from scipy import sparse

from benchmarks.common.data import find_file
from benchmarks.common.task import UNKNOWN
from benchmarks.integration.tasks import SNARE_SEQ
from hzau_omics.data import simulate

PBMC10K = "citeseq_pbmc10k_totalvi.h5mu"
RNA = "rna"
QUICK_CELLS, QUICK_GENES = 600, 150
CHANGED, SMALLEST, LARGEST = 0.1, 0.3, 2.0
"""Share of genes that change, and the range of the log2 fold changes of those that are thinned."""
CONDITIONS = ("well", "ill")
SIMULATED_CELLS, SIMULATED_GENES, DONOR_EFFECT = 600, 1000, 0.2


@dataclass(frozen=True, kw_only=True)
class Data:
    """Cells with known types.

    Attributes
    ----------
    mdata
        The cells.
    likelihoods
        Likelihood of each modality.
    batch_key
        Column of ``obs`` with the batch, library or donor; None for one batch.
    types
        Types whose cells are compared with each other.
    """

    mdata: MuData
    likelihoods: Mapping[str, str]
    batch_key: str | None
    types: tuple[str, ...]

    def positions(self, label: str) -> np.ndarray:
        """Return positions of the cells of a type."""
        return np.flatnonzero(self.mdata.obs["cell_type"] == label)

    def only(self, label: str) -> "Data":
        """Return the cells of one type."""
        return replace(self, mdata=self.mdata[self.positions(label)].copy(), types=(label,))

    def with_rna(self, x: sparse.csr_matrix) -> "Data":
        """Return the same cells with other RNA counts (cell, gene)."""
        mdata = self.mdata.copy()
        mdata[RNA].X = x
        return replace(self, mdata=mdata)

    @property
    def rna(self) -> sparse.csr_matrix:
        """RNA counts (cell, gene)."""
        return sparse.csr_matrix(self.mdata[RNA].X)


@cache
def pbmc10k(*, quick: bool) -> Data:
    """Return RNA and protein of blood cells of one donor."""
    mdata = _read(PBMC10K, quick=quick)
    return Data(
        mdata=mdata,
        likelihoods={RNA: "nb", "prot": "nb_mixture"},
        batch_key=None,
        types=("CD4+ T cells", "CD14+ monocytes", "CD8+ T cells", "NK cells"),
    )


@cache
def snare_seq(*, quick: bool) -> Data:
    """Return RNA of mouse cortex from twelve libraries; chromatin is left out."""
    mdata = _read(SNARE_SEQ, quick=quick)
    counts = mdata.obs["cell_type"].value_counts().drop(list(UNKNOWN), errors="ignore")
    rna = MuData({RNA: mdata[RNA].copy()})
    rna.obs = mdata.obs.loc[rna.obs_names].copy()
    largest = tuple(str(name) for name in counts.index[:3])
    return Data(mdata=rna, likelihoods={RNA: "nb"}, batch_key="batch", types=largest)


@cache
def simulated(seed: int, *, donors: bool, quick: bool) -> Data:
    """Return RNA and protein of two conditions, between which a tenth of the genes change.

    Parameters
    ----------
    seed
        Seed of the simulation.
    donors
        Whether each condition has six donors that differ.
    quick
        Whether of few cells and genes.
    """
    mdata = simulate(
        QUICK_CELLS if quick else SIMULATED_CELLS,
        n_features={RNA: QUICK_GENES if quick else SIMULATED_GENES, "prot": 20},
        conditions=list(CONDITIONS),
        condition_effect=0.0,
        changed={RNA: CHANGED},
        n_donors=6 if donors else 0,
        donor_effect=DONOR_EFFECT,
        seed=seed,
    )
    key = "donor" if donors else None
    return Data(mdata=mdata, likelihoods={RNA: "nb", "prot": "nb"}, batch_key=key, types=())


def _read(name: str, *, quick: bool) -> MuData:
    mdata = mudata.read_h5mu(find_file(name))
    if not quick:
        return mdata
    # Cells of the types that are compared, so that each split has some.
    kinds = mdata.obs["cell_type"].value_counts().drop(list(UNKNOWN), errors="ignore").index[:3]
    rows = np.flatnonzero(mdata.obs["cell_type"].isin(kinds))
    rows = np.sort(np.random.default_rng(0).permutation(rows)[:QUICK_CELLS])
    parts = {}
    for m in mdata.mod:
        part = mdata[m][mdata.obs_names[rows]]
        total = np.asarray(part.X.sum(0)).ravel()
        parts[m] = part[:, np.sort(np.argsort(-total)[:QUICK_GENES])].copy()
    found = MuData(parts)
    found.obs = mdata.obs.loc[found.obs_names].copy()
    return found


def split_cells(
    positions: np.ndarray, share: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return two groups of cells at random; the first has `share` of them."""
    order = rng.permutation(positions)
    n = round(share * len(order))
    return np.sort(order[:n]), np.sort(order[n:])


def split_samples(
    positions: np.ndarray, samples: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return two groups of cells such that all cells of a sample are in the same.

    Parameters
    ----------
    positions
        Positions of the cells.
    samples
        Sample of each cell of the data.
    rng
        Deals half of the samples to the first group.
    """
    names = rng.permutation(np.unique(samples[positions]))
    first = np.isin(samples[positions], names[: len(names) // 2])
    return positions[first], positions[~first]


def thinned(
    x: sparse.csr_matrix, one: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> tuple[sparse.csr_matrix, np.ndarray]:
    """Return counts of which a tenth of the genes are thinned in one of two groups.

    Parameters
    ----------
    x
        Counts (cell, gene).
    one, other
        Positions of the cells of the groups.
    rng
        Chooses genes, groups and fold changes, and draws which counts are kept.

    Returns
    -------
    Counts, and the log2 fold change of the first group over the second (gene,).
    """
    n_cells, n_genes = x.shape
    genes = rng.permutation(n_genes)[: round(CHANGED * n_genes)]
    change = np.zeros(n_genes)
    change[genes] = rng.uniform(SMALLEST, LARGEST, len(genes)) * rng.choice([-1, 1], len(genes))
    side = np.zeros(n_cells)
    side[one], side[other] = -1, 1
    rows = np.repeat(np.arange(n_cells), np.diff(x.indptr))
    # A gene that is lower in a group keeps 2 ** -|change| of its counts there.
    loss = np.maximum(side[rows] * change[x.indices], 0)
    kept = rng.binomial(x.data.astype(np.int64), 2.0**-loss).astype(np.float32)
    found = sparse.csr_matrix((kept, x.indices.copy(), x.indptr.copy()), shape=x.shape)
    found.eliminate_zeros()
    return found, change
