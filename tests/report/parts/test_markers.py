"""Markers are those of differential expression, also where batches measured other features."""

import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import hzau_omics as ho
from hzau_omics.report.parts.markers import best, ranked

CLUSTERS = ("0", "1", "2")


def planted(n: int = 240) -> mudata.MuData:
    """Cells of three clusters: each has three markers, of which one is in half of the batches."""
    rng = np.random.default_rng(0)
    cluster = np.array(CLUSTERS)[np.arange(n) % 3]
    late = np.arange(n) >= n // 2
    names = [f"marker_{name}{part}" for part in ("", "_b", "_late") for name in CLUSTERS]
    mean = np.full((n, 9), 3.0)
    for i in range(9):
        mean[cluster == CLUSTERS[i % 3], i] = 12.0
    counts = rng.poisson(mean).astype(np.float32)
    counts[np.ix_(~late, np.arange(6, 9))] = 0
    cells = [f"c{i}" for i in range(n)]
    adt = AnnData(
        counts,
        obs=pd.DataFrame(index=cells),
        var=pd.DataFrame({"measured_early": np.arange(9) < 6, "measured_late": True}, index=names),
    )
    mdata = mudata.MuData({"adt": adt})
    mdata.obs["run"] = np.where(late, "late", "early")
    mdata.obs["kind"] = cluster
    return mdata


@pytest.fixture(scope="module")
def model() -> ho.model.HZAUVAE:
    mdata = planted()
    setup = {"batch_key": "run", "panel_key": "measured"}
    ho.model.HZAUVAE.setup_mudata(mdata, {"adt": "nb"}, **setup)
    found = ho.model.HZAUVAE(mdata, n_latent=3, n_hidden=16)
    found.train(max_epochs=2, seed=0, accelerator="cpu", enable_progress_bar=False)
    return found


def test_markers_are_those_of_differential_expression(model: ho.model.HZAUVAE) -> None:
    content = model.report_content(cluster_key="kind", seed=0)
    (table,) = content.sections["markers"].tables
    for name in CLUSTERS:
        listed = table.frame.loc[name, "markers (adt)"].split(", ")
        assert set(listed) == {f"marker_{name}{part}" for part in ("", "_b", "_late")}
    found = model.differential_expression("adt", "kind", seed=0)
    called = found[found["is_de_fdr_0.05"] & (found["lfc"] > 0)]
    assert {(row.group1, name) for name, row in called.iterrows()} == {
        (kind, f"marker_{kind}{part}") for kind in CLUSTERS for part in ("", "_b", "_late")
    }


def test_the_clearest_markers_come_first() -> None:
    adata = AnnData(
        obs=pd.DataFrame({"cluster": ["a", "b"] * 2}, index=list("1234")),
        var=pd.DataFrame(index=["up", "down", "none", "more"]),
    )
    table = pd.DataFrame(
        {
            "group1": "a",
            "group2": "Rest",
            "p_value": [1e-9, 1e-12, 0.4, 1e-20],
            "q_value": [2e-9, 2e-12, 0.4, 4e-20],
            "lfc_mean": [1.0, -2.0, 0.1, 0.5],
        },
        index=["up", "down", "none", "more"],
    )
    found = ranked(adata, table)
    assert found["feature"].tolist() == ["more", "up", "none", "down"]
    assert best(found, 5) == {"a": ["more", "up"]}


def test_a_modality_that_the_model_does_not_generate_is_named() -> None:
    mdata = ho.data.simulate(80, seed=0, n_features={"rna": 12, "adt": 6})
    ho.model.CVAE.setup_mudata(mdata, {"adt": "nb", "rna": "nb"})
    model = ho.model.CVAE(mdata, n_latent=3, n_hidden=8)
    model.train(max_epochs=1, seed=0, accelerator="cpu", enable_progress_bar=False)
    mdata.obs["kind"] = mdata.obs["cell_type"].astype(str)
    section = model.report_content(cluster_key="kind").sections["markers"]
    assert any(text.startswith("No markers of rna. CVAE generates adt") for text in section.text)
    assert "markers (adt)" in section.tables[0].frame
