"""MuData of several shapes, and a snapshot of what adding a modality must not change."""

import anndata
import mudata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse


def build(layout, *, order=None):
    """A MuData of the cells listed per modality, with every kind of global field."""
    rng = np.random.default_rng(0)
    mods = {
        name: anndata.AnnData(
            sparse.csr_matrix(rng.poisson(1.0, (len(cells), 3)).astype(np.float32)),
            obs=pd.DataFrame({"depth": rng.random(len(cells))}, index=list(cells)),
            var=pd.DataFrame(index=["cd8", f"{name}_b", f"{name}_c"]),
        )
        for name, cells in layout.items()
    }
    mdata = mudata.MuData(mods)
    if order is not None:
        mdata = mdata[order].copy()
    add_columns(mdata, rng)
    return mdata


def add_columns(mdata, rng):
    n = mdata.n_obs
    # Integers kept as floats, objects and booleans: dtypes that MuData.update would convert.
    mdata.obs["whole"] = np.arange(n, dtype=float)
    mdata.obs["flag"] = np.arange(n) % 2 == 0
    mdata.obs["small"] = np.arange(n, dtype=np.int8)
    mdata.obs["batch"] = pd.Categorical(["a", "b"] * (n // 2) + ["a"] * (n % 2), ["b", "a", "c"])
    mdata.obs["mixed"] = pd.Series([1, "x"] * (n // 2) + [None] * (n % 2), mdata.obs_names, object)
    mdata.obsm["X_pca"] = rng.random((n, 2))
    mdata.obsm["table"] = pd.DataFrame(rng.random((n, 2)), mdata.obs_names, ["u", "v"])
    mdata.obsp["graph"] = sparse.random(n, n, 0.5, format="csr", random_state=0)
    mdata.uns["note"] = "kept"


CELLS = [f"c{i}" for i in range(9)]
SHUFFLED = [f"c{i}" for i in (8, 2, 5, 0, 7, 1, 6, 3, 4)]
LAYOUTS = {
    "paired": ({"rna": CELLS, "adt": CELLS}, None),
    "paired-permuted": ({"rna": CELLS, "adt": CELLS[::-1]}, None),
    "mosaic": ({"rna": CELLS[:6], "adt": CELLS[4:]}, None),
    "mosaic-shuffled": ({"rna": CELLS[:6], "adt": CELLS[:3:-1]}, SHUFFLED),
    "one-modality": ({"rna": CELLS}, CELLS[::-1]),
    "disjoint": ({"rna": CELLS[:4], "adt": CELLS[4:]}, SHUFFLED),
    "zero-rows": ({"rna": CELLS, "adt": []}, None),
}


@pytest.fixture(params=LAYOUTS)
def mdata(request):
    layout, order = LAYOUTS[request.param]
    return build(layout, order=order)


@pytest.fixture
def mosaic():
    layout, order = LAYOUTS["mosaic-shuffled"]
    return build(layout, order=order)


class Snapshot:
    """Everything in a MuData, to compare with the same MuData after a modality was added.

    MuData.copy is no snapshot: it changes dtypes itself.
    """

    def __init__(self, mdata):
        self.obs = mdata.obs.copy()
        self.var_names = list(mdata.var_names)
        self.mods = dict(mdata.mod)
        self.copies = {name: adata.copy() for name, adata in mdata.mod.items()}
        self.obsmap = {name: np.array(mdata.obsmap[name]) for name in mdata.mod}
        self.pca = mdata.obsm["X_pca"].copy()
        self.table = mdata.obsm["table"].copy()
        self.graph = mdata.obsp["graph"]
        self.graph_copy = self.graph.copy()
        self.obsm = set(mdata.obsm)
        self.uns = dict(mdata.uns)

    def assert_unchanged(self, mdata, *, added):
        assert list(mdata.mod) == [*self.mods, added]
        pd.testing.assert_frame_equal(mdata.obs, self.obs)
        for name, old in self.copies.items():
            assert mdata[name] is self.mods[name]
            np.testing.assert_array_equal(mdata.obsmap[name], self.obsmap[name])
            assert (mdata[name].X != old.X).nnz == 0
            pd.testing.assert_frame_equal(mdata[name].obs, old.obs)
            pd.testing.assert_frame_equal(mdata[name].var, old.var)
        np.testing.assert_array_equal(mdata.obsm["X_pca"], self.pca)
        pd.testing.assert_frame_equal(mdata.obsm["table"], self.table)
        # The same object: indexing a graph of n cells by n x n positions would exhaust the memory.
        assert mdata.obsp["graph"] is self.graph
        assert (self.graph != self.graph_copy).nnz == 0
        assert set(mdata.obsm) == {*self.obsm, added}
        assert dict(mdata.uns) == self.uns
        assert list(mdata.var_names) == [*self.var_names, *mdata[added].var_names]
        self.assert_aligned(mdata, added)

    @staticmethod
    def assert_aligned(mdata, added):
        rows = np.asarray(mdata.obsmap[added]).ravel()
        has = rows > 0
        assert list(mdata[added].obs_names[rows[has] - 1]) == list(mdata.obs_names[has])
        assert has.sum() == mdata[added].n_obs


@pytest.fixture
def snapshot():
    return Snapshot
