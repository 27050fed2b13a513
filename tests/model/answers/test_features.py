"""One modality of all cells as an AnnData that scanpy draws and collaborators open."""

import anndata as ad
import matplotlib.pyplot as plt
import mudata
import numpy as np
import pytest
import scanpy as sc
import scipy.sparse as sp

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.version import MODEL_VERSION

ALL = ("counts", "imputed", "normalized")


def dense(values) -> np.ndarray:
    return values.toarray() if sp.issparse(values) else np.asarray(values)


@pytest.fixture(scope="module")
def whole(shared_model) -> ad.AnnData:
    return shared_model.to_anndata(modality="adt", n_samples=4, seed=0)


def layer_names(adata: ad.AnnData) -> set[str]:
    return {name for name in adata.layers if name is not None}


def test_every_cell_has_finite_expected_values(shared_model, whole):
    model = shared_model
    assert whole.shape == (90, 7)
    assert layer_names(whole) == set(ALL)
    for values in (whole.X, *(whole.layers[name] for name in ALL)):
        assert np.isfinite(dense(values)).all()
    shares = model.get_normalized_expression("adt", n_samples=4, seed=0)
    np.testing.assert_allclose(whole.layers["normalized"], 1e4 * shares, rtol=1e-6)
    np.testing.assert_allclose(whole.X, np.log1p(1e4 * shares), rtol=1e-5)
    imputed = model.impute("adt", n_samples=4, quantiles=(), seed=0)
    np.testing.assert_array_equal(whole.layers["imputed"], imputed.X)
    assert whole.obs["observed"].tolist() == imputed.obs["observed"].tolist()


def test_counts_are_what_was_measured(shared_model, whole):
    adt = shared_model.adata["adt"]
    assert sp.issparse(whole.layers["counts"])
    measured = whole[adt.obs_names]
    assert measured.obs["observed"].all()
    np.testing.assert_array_equal(dense(measured.layers["counts"]), dense(adt.X))
    others = whole[~whole.obs["observed"]]
    assert others.n_obs
    assert dense(others.layers["counts"]).sum() == 0


def test_a_file_and_scanpy_take_over(shared_model, tmp_path):
    model = shared_model
    adata = model.to_anndata(modality="rna", n_samples=2, seed=0)
    adata.obsm["X_umap"] = adata.obsm["X_hzau"][:, :2]
    adata.write_h5ad(tmp_path / "cells.h5ad")
    back = ad.read_h5ad(tmp_path / "cells.h5ad")
    np.testing.assert_array_equal(back.X, adata.X)
    assert layer_names(back) == set(ALL)
    assert back.obs["modalities"].tolist() == adata.obs["modalities"].tolist()
    assert back.obs["observed"].dtype == bool
    np.testing.assert_array_equal(back.obsm["hzau_gate"], adata.obsm["hzau_gate"])
    axes = sc.pl.umap(back, color=["rna_1", "modalities"], show=False)
    assert [ax.get_title() for ax in axes] == ["rna_1", "modalities"]
    dots = sc.pl.dotplot(back, ["rna_0", "rna_1"], groupby="cell_type", show=False)
    assert "mainplot_ax" in dots
    plt.close("all")


def test_a_file_says_what_it_holds(shared_model, whole, tmp_path):
    whole.copy().write_h5ad(tmp_path / "cells.h5ad")
    said = ad.read_h5ad(tmp_path / "cells.h5ad").uns["hzau"]
    assert said["X"].startswith("log1p of expected expression, of a total of 10,000 in each cell")
    assert "do not test it" in said["X"]
    assert set(said["layers"]) == set(ALL)
    assert said["layers"]["counts"] == "measured values, 0 in cells without the modality"
    versions = {
        "model": "HZAUVAE",
        "model_version": MODEL_VERSION,
        "package_version": ho.__version__,
    }
    assert versions.items() <= said.items()
    imputed = shared_model.impute("adt", given="rna", quantiles=0.9, n_samples=2, seed=0)
    said = imputed.uns["hzau"]
    assert said["inferred_from"] == ["rna"]
    assert said["layers"]["q90"] == "quantile 0.9 of predicted values"
    assert said["obs"]["observed"] == "whether the modality was measured in the cell"
    assert versions.items() <= shared_model.to_anndata().uns["hzau"].items()


def test_a_file_says_what_its_columns_mean(shared_model, whole):
    said = whole.uns["hzau"]
    assert said["obsm"]["X_hzau"] == "latents of the cells"
    assert said["obs"]["hzau_novelty"].endswith("small is novel")
    assert set(said["obs"]) <= set(whole.obs)
    assert set(said["obsm"]) <= set(whole.obsm)
    ours = {key for key in (*whole.obs, *whole.obsm) if key.startswith(("hzau_", "X_hzau"))}
    assert ours <= {*said["obs"], *said["obsm"]}


def test_counts_that_are_read_as_open_or_closed_are_exported_as_counts(fit, tmp_path):
    pytest.importorskip("zarr")
    mdata = ho.data.simulate(40, n_features={"rna": 8, "atac": 6}, missing={"atac": 0.3}, seed=0)
    atac = mdata["atac"]
    atac.X = np.random.default_rng(0).poisson(1.0, atac.shape).astype(np.float32)
    modalities = {"rna": "nb", "atac": ho.data.ModalitySpec("bernoulli", binarize=True)}
    model = fit(mdata, modalities, max_epochs=1)
    adata = model.to_anndata(modality="atac", layers="counts", features=["atac_4", "atac_1"])
    np.testing.assert_array_equal(
        dense(adata[atac.obs_names].layers["counts"]), atac[:, ["atac_4", "atac_1"]].X
    )
    assert dense(adata[~adata.obs["observed"]].layers["counts"]).sum() == 0
    assert adata.uns["hzau"]["layers"]["counts"].startswith("measured values, 0 in cells")
    ho.data.write_store(mdata, tmp_path / "cells.zarr", modalities)
    store = ho.data.open_store(tmp_path / "cells.zarr")
    adata = model.to_anndata(store, modality="atac", layers="counts")
    assert dense(adata.layers["counts"]).max() == 1
    assert adata.uns["hzau"]["layers"]["counts"].startswith("1 where a count above 0 was measured")


def test_descriptions_of_features_and_embeddings_come_along(fit):
    mdata = ho.data.simulate(40, n_features={"rna": 8, "adt": 5}, seed=0)
    mdata["rna"].var["symbol"] = [f"S{i}" for i in range(8)]
    mdata.obsm["X_umap"] = np.arange(80.0).reshape(40, 2)
    model = fit(mdata, max_epochs=1)
    adata = model.to_anndata(modality="rna", layers=(), features=["rna_5", "rna_2"])
    assert adata.var["symbol"].tolist() == ["S5", "S2"]
    assert layer_names(adata) == set()
    np.testing.assert_array_equal(adata.obsm["X_umap"], mdata.obsm["X_umap"])
    whole = model.to_anndata(modality="rna", layers="counts")
    part = model.to_anndata(modality="rna", layers="counts", features=["rna_5", "rna_2"])
    np.testing.assert_array_equal(
        dense(part.layers["counts"]), dense(whole.layers["counts"])[:, [5, 2]]
    )


def test_held_out_cells_and_those_without_the_modality(shared_model, query):
    model = shared_model
    rna_only = query["rna"]
    held_out = mudata.MuData({"rna": rna_only})
    held_out.obs["batch"] = query.obs["batch"].reindex(held_out.obs_names)
    adata = model.to_anndata(held_out, modality="adt", seed=0)
    assert not adata.obs["observed"].any()
    assert dense(adata.layers["counts"]).sum() == 0
    assert (adata.X > 0).all()
    none = model.to_anndata(query[:0].copy(), modality="adt")
    assert none.shape == (0, 7)


def test_panels_say_what_was_measured(panel_model):
    adata = panel_model.to_anndata(modality="adt", layers="counts", n_samples=2)
    first = (adata.obs["batch"] == "batch_1").to_numpy()
    assert not adata.layers["measured"][first][:, 6:].any()
    assert adata.layers["measured"][~first].all()


def test_values_that_are_no_counts_are_not_made_logarithms(fit):
    mdata = ho.data.simulate(40, n_features={"rna": 8, "adt": 5}, seed=0)
    mdata["adt"].X = np.log1p(dense(mdata["adt"].X)).astype(np.float32)
    model = fit(mdata, {"rna": "nb", "adt": "normal"}, max_epochs=1)
    adata = model.to_anndata(modality="adt", n_samples=2, seed=0)
    np.testing.assert_array_equal(adata.X, adata.layers["normalized"])
    assert "log1p" not in adata.uns
    assert adata.uns["hzau"]["X"].startswith("expected values, in the units of the data")
    np.testing.assert_allclose(dense(adata.layers["counts"]), mdata["adt"].X)


def test_what_is_asked_for_is_checked(model):
    with pytest.raises(ConfigError, match="layers must be some of 'counts'"):
        model.to_anndata(modality="adt", layers="raw")
    with pytest.raises(ConfigError, match=r"features are those of a modality.*modality="):
        model.to_anndata(features="adt_1")
    with pytest.raises(DataContractError, match="atac"):
        model.to_anndata(modality="atac")
    assert model.to_anndata().n_vars == 0
