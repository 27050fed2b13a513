"""Markers are those that were planted, also where batches measured other features."""

import numpy as np
import pandas as pd
from anndata import AnnData

from hzau_omics.report.parts.markers import best, ranked


def planted(n: int = 120) -> AnnData:
    rng = np.random.default_rng(0)
    cluster = np.array(["0", "1", "2"])[np.arange(n) % 3]
    x = rng.normal(size=(n, 6)).astype(np.float32)
    for i, name in enumerate(("0", "1", "2")):
        x[cluster == name, i] += 3
        x[cluster == name, 3 + i] += 3
    measured = np.ones(x.shape, dtype=bool)
    # The last three features were measured in the second half of the cells only.
    measured[: n // 2, 3:] = False
    names = [f"marker_{name}{part}" for part in ("", "_late") for name in "012"]
    return AnnData(
        np.where(measured, x, 0),
        obs=pd.DataFrame({"cluster": pd.Categorical(cluster)}, index=[f"c{i}" for i in range(n)]),
        var=pd.DataFrame(index=names),
        layers={"measured": measured, "detected": (x > 0).astype(np.float32)},
    )


def test_planted_markers_are_found_in_cells_that_measured_them() -> None:
    found = ranked(planted())
    assert best(found, 2) == {n: [f"marker_{n}", f"marker_{n}_late"] for n in "012"}
    assert found["q"].between(0, 1).all()


def test_noise_has_no_markers() -> None:
    adata = planted()
    adata.X = np.random.default_rng(1).normal(size=adata.shape).astype(np.float32)
    assert best(ranked(adata), 5) == {}


def test_clusters_that_are_too_small_are_not_tested() -> None:
    adata = planted()
    adata.obs["cluster"] = pd.Categorical(["few"] * 5 + ["a", "b"] * 57 + ["a"])
    assert set(ranked(adata)["cluster"]) == {"a", "b"}
