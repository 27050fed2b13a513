"""A report of any trained model: what is on the page, and what it leaves alone."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import mudata
import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.report import ReportContent, of_model, write_report
from hzau_omics.report.sections import SECTIONS
from hzau_omics.report.subject import Subject

QUICK = {"max_epochs": 3, "batch_size": 64, "seed": 0, "enable_progress_bar": False}
SIZES = {"n_latent": 4, "n_hidden": 16}
PAIR = {"rna": "nb", "adt": "nb_mixture"}


def trained(mdata: Any, modalities: Any = None, system: Any = None, **setup: Any) -> Any:
    system = ho.model.HZAUVAE if system is None else system
    system.setup_mudata(mdata, modalities or PAIR, **setup)
    model = system(mdata, **SIZES)
    model.train(accelerator="cpu", **QUICK)
    return model


def cells(n: int, **options: Any) -> mudata.MuData:
    design = {"n_features": {"rna": 30, "adt": 8}, "n_batches": 3, "missing": {"adt": 0.3}}
    return ho.data.simulate(n, seed=0, **{**design, **options})


def state_of(mdata: mudata.MuData) -> str:
    parts = [mdata.obs.to_csv(), sorted(mdata.uns), sorted(mdata.obsm)]
    for name, one in mdata.mod.items():
        parts += [name, one.obs.to_csv(), one.var.to_csv(), one.to_df().to_csv()]
        parts += [sorted(one.uns), sorted(one.obsm), sorted(one.layers)]
    return hashlib.sha256(repr(parts).encode()).hexdigest()


@pytest.fixture(scope="module")
def model() -> Any:
    mdata = cells(400, panels=True)
    mdata.obs.loc[mdata.obs_names[::7], "cell_type"] = np.nan
    setup = {"batch_key": "batch", "panel_key": "measured", "labels_key": "cell_type"}
    return trained(mdata, **setup)


@pytest.fixture(scope="module")
def content(model: Any) -> Iterator[ReportContent]:
    before = state_of(model.adata)
    found = model.report_content(command="python analysis.py")
    assert state_of(model.adata) == before
    return found


def text_of(content: ReportContent, name: str) -> str:
    return " ".join(content.sections[name].text)


def test_everything_is_there(content: ReportContent) -> None:
    assert list(content.sections) == [name for name in SECTIONS if name != "metrics"]
    assert content.left_out == {}
    assert content.title == "400 cells: RNA and protein (HZAU-VAE)"
    assert content.summary.startswith("400 cells of 3 batches with rna and adt. ")
    assert "setup_mudata(mdata, {'rna': 'nb', 'adt': 'nb_mixture'}" in content.made["set-up"]
    assert "seed 0, 400 cells drawn" in content.made["report"]
    assert content.made["call of train"].startswith("model.train(max_epochs=")
    assert "'corruption': 0.1" in content.made["call of train"]
    assert content.command == "python analysis.py"


def test_a_model_that_was_hardly_trained_is_warned_of(content: ReportContent) -> None:
    assert content.warnings[-1].startswith("The model hardly tells the labels apart")
    assert "batches which mix well show nothing" in content.summary
    assert "Training was short: 3 epochs, and 400 are the default" in content.summary
    assert "made to fail are told from good ones" in text_of(content, "reliability")
    assert "flat by construction" in content.sections["calibration"].pictures[0].caption
    assert "flat by construction" in content.sections["novelty"].pictures[0].caption


def test_tables_agree_with_the_data(content: ReportContent, model: Any) -> None:
    mdata = model.adata
    by_batch = content.sections["data"].tables[1].frame
    assert by_batch["cells"].to_dict() == mdata.obs["batch"].value_counts().to_dict()
    rna = content.sections["quality"].tables[0].frame
    of_first = mdata["rna"][
        mdata["rna"].obs_names.isin(mdata.obs_names[mdata.obs["batch"] == "batch_0"])
    ]
    total = np.asarray(of_first.X.sum(axis=1)).ravel()
    assert rna.loc["batch_0", "median total"] == pytest.approx(np.median(total))
    reliability = model.get_reliability()["adt"].dropna()
    suspicious = (reliability < model.SUSPICIOUS).sum()
    counts = f"{suspicious:,} of {len(reliability):,} of adt ("
    assert counts in text_of(content, "reliability")


def test_mixing_is_told_of_batches_and_of_modalities(content: ReportContent) -> None:
    section = content.sections["mixing"]
    assert [table.frame.index.name for table in section.tables] == ["batch", "measured modalities"]
    assert section.text[0].startswith("Batches ")
    assert section.text[1].startswith("Cells with different modalities ")


def test_coverage_is_told_by_feature_and_batch(content: ReportContent, model: Any) -> None:
    table = content.sections["imputation"].tables[1].frame
    assert set(table.index) == set(model.adata["adt"].var_names)
    assert {"r", "coverage"} <= set(table.columns)
    assert table["coverage"].between(0, 1).all()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave all but two sections out, to be fast."""

    def no_imputation(_subject: Subject) -> None:
        msg = "left out by the test"
        raise ConfigError(msg)

    monkeypatch.setattr(of_model, "PARTS", {k: of_model.PARTS[k] for k in ("data", "training")})
    monkeypatch.setattr(of_model, "imputation", no_imputation)


@pytest.mark.usefixtures("short")
def test_the_page_is_written(model: Any, tmp_path: Path) -> None:
    path = ho.report.report(model, tmp_path / "r.html", title="Mine", n_cells=60, seed=3)
    page = path.read_text(encoding="utf-8")
    assert "<h1>Mine</h1>" in page
    assert "Of 400 cells, 60 were drawn at random (seed 3)" in page
    assert "left out by the test" in page
    assert [one.name for one in tmp_path.iterdir()] == ["r.html"]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_report(model: Any) -> None:
    first, again = (model.report_content(n_cells=60, seed=3) for _ in range(2))
    for name, section in first.sections.items():
        other = again.sections[name]
        assert section.text == other.text
        assert section.pictures == other.pictures
        assert [t.caption for t in section.tables] == [t.caption for t in other.tables]
        for one, two in zip(section.tables, other.tables, strict=True):
            assert one.frame.equals(two.frame), name


@pytest.mark.slow
def test_own_clusters_and_labels_are_taken(model: Any) -> None:
    mdata = model.adata.copy()
    mdata.obs["mine"] = np.where(np.arange(400) % 2, "odd", "even")
    found = model.report_content(mdata, cluster_key="mine", labels_key="mine")
    assert found.key_figures["clusters"] == "2"
    assert set(found.sections["markers"].tables[0].frame.index) == {"even", "odd"}
    with pytest.raises(DataContractError, match="nowhere"):
        model.report_content(mdata, labels_key="nowhere")


def test_a_map_that_is_there_is_drawn(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cells = model.adata.copy()
    cells.obs["cluster"] = ["a", "b"] * (cells.n_obs // 2)
    cells.obsm["X_umap"] = np.random.default_rng(0).normal(size=(cells.n_obs, 2))

    def compute(*_: Any, **__: Any) -> None:
        pytest.fail("neighbours are computed")

    monkeypatch.setattr("scanpy.pp.neighbors", compute)
    found = Subject(
        model=model,
        store=model._session(cells, None, None).store,
        held_out=np.arange(0),
        cluster_key="cluster",
        umap=cells.obsm["X_umap"],
    ).map
    np.testing.assert_array_equal(found.obsm["X_umap"], cells.obsm["X_umap"])
    assert found.obs["cluster"].tolist() == cells.obs["cluster"].tolist()
    with pytest.raises(DataContractError, match=r"basis.*Leave it out"):
        model.report_content(cells, basis="X_tsne")


def test_new_cells_of_a_new_batch_are_all_held_out(model: Any) -> None:
    new = cells(120, missing={}, n_batches=1)
    new.obs_names = [f"new_{name}" for name in new.obs_names]
    for one in new.mod.values():
        one.obs_names = [f"new_{name}" for name in one.obs_names]
    new = mudata.MuData(dict(new.mod))
    new.obs["batch"] = "another"
    found = model.report_content(new)
    assert "0 of the held-out" not in text_of(found, "imputation")
    assert "calibrated on" not in text_of(found, "imputation")
    assert "were trained on" not in text_of(found, "novelty")
    assert "held-out" not in " ".join([found.summary, *found.key_figures])
    assert "flat by construction" not in found.sections["calibration"].pictures[0].caption
    assert "Suspicious measurements" in found.left_out


def test_one_modality_without_labels_and_batches_and_calibration() -> None:
    mdata = cells(120, n_batches=1, missing={})
    ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb"})
    model = ho.model.HZAUVAE(mdata, **SIZES)
    model.train(accelerator="cpu", train_size=1.0, **QUICK)
    found = model.report_content()
    assert set(found.sections) == {"data", "quality", "embedding", "markers", "training"}
    left_out = {SECTIONS[name].heading for name in SECTIONS} - {"Metrics and baselines"}
    left_out -= {SECTIONS[name].heading for name in found.sections}
    assert set(found.left_out) == left_out - {"Calibration of the intervals"}
    assert "nothing to mix" in found.left_out["How well batches mix"]


@pytest.mark.parametrize(
    "system", ["MVAE", *(pytest.param(name, marks=pytest.mark.slow) for name in ("JMVAE", "CVAE"))]
)
def test_baselines_have_what_they_can(system: str) -> None:
    mdata = cells(120, missing={}, n_batches=2)
    model = trained(mdata, system=getattr(ho.model, system), batch_key="batch")
    found = model.report_content()
    assert {"data", "embedding", "mixing", "markers", "training"} <= set(found.sections)
    assert "gate" in found.left_out["How much each modality counts"]


@pytest.mark.slow
def test_values_that_are_no_counts(tmp_path: Path) -> None:
    mdata = cells(120, missing={}, n_batches=1)
    mdata["adt"].X = np.log1p(mdata["adt"].X.toarray())
    model = trained(mdata, {"rna": "nb", "adt": "normal"})
    found = model.report_content()
    assert "adt from rna" in text_of(found, "imputation")
    assert len(found.sections["quality"].tables) == 1
    write_report(tmp_path / "r.html", found)


@pytest.mark.slow
def test_a_store_on_disk(model: Any, tmp_path: Path) -> None:
    pytest.importorskip("annbatch")
    setup = {"batch_key": "batch", "panel_key": "measured", "labels_key": "cell_type"}
    ho.data.write_store(model.adata, tmp_path / "cells.zarr", PAIR, **setup)
    store = ho.data.open_store(tmp_path / "cells.zarr")
    found = model.report_content(store, n_cells=200)
    assert "Of 400 cells, 200 were drawn" in text_of(found, "data")
    assert "markers" in found.sections


def test_an_untrained_model_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    mdata = cells(60)
    ho.model.HZAUVAE.setup_mudata(mdata, PAIR)
    with pytest.raises(ConfigError, match=r"not trained.*train\(\) first"):
        ho.model.HZAUVAE(mdata, **SIZES).report(tmp_path / "r.html")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_refused_before_the_work(model: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"whose folder does not\. Create it"):
        model.report(tmp_path / "missing" / "r.html")


@pytest.mark.usefixtures("short")
def test_the_users_style_stays_and_is_not_used(model: Any) -> None:
    with plt.style.context("dark_background"):
        before, figures = dict(plt.rcParams), plt.get_fignums()
        few = model.report_content(n_cells=40)
        assert dict(plt.rcParams) == before
        assert plt.get_fignums() == figures
    light = model.report_content(n_cells=40)
    first, second = (one.sections["training"].pictures[0].image for one in (few, light))
    assert first == second


def test_few_cells_have_no_map() -> None:
    model = trained(cells(60, n_batches=1), {"rna": "nb"})
    found = model.report_content(n_cells=10)
    assert "at least 20 cells" in found.left_out["Map of all cells"]
    assert {"data", "quality", "training"} <= set(found.sections)


def test_a_value_that_means_no_label_is_none_on_the_page() -> None:
    mdata = cells(150, missing={})
    types = mdata.obs["cell_type"].astype(str)
    mdata.obs["kind"] = types.where(np.arange(150) % 4 > 0, "low quality")
    setup = {"batch_key": "batch", "labels_key": "kind", "unlabeled_category": "low quality"}
    model = trained(mdata, **setup)
    found = model.report_content()
    assert "unlabeled_category='low quality'" in found.made["set-up"]
    assert "38 cells were given no label ('low quality' count as none)" in text_of(found, "labels")
    clusters = found.sections["markers"].tables[0].frame
    assert not clusters["most frequent label"].str.contains("low quality").any()
    assert "cells without label" in clusters
