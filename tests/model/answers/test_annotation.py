import mudata
import numpy as np
import scanpy as sc

import hzau_omics as ho


def test_annotate_writes_to_the_data_and_to_each_modality(model, query):
    query.mod["other"] = query["rna"][::-1].copy()
    query.update()
    model.annotate(query)
    latent = model.get_latent_representation(query)
    np.testing.assert_array_equal(query.obsm["X_hzau"], latent)
    assert query.obsm["hzau_gate"].columns.tolist() == ["rna", "adt"]
    for name, adata in query.mod.items():
        assert 0 < adata.n_obs < query.n_obs, name
        rows = query.obs_names.get_indexer(adata.obs_names)
        np.testing.assert_array_equal(adata.obsm["X_hzau"], latent[rows])
        assert adata.obsm["hzau_gate"].index.equals(adata.obs_names)
        np.testing.assert_array_equal(
            adata.obsm["hzau_gate"], query.obsm["hzau_gate"].loc[adata.obs_names]
        )
        for column in ("hzau_suspicious", "hzau_novelty"):
            whole = query.obs[column].loc[adata.obs_names]
            assert adata.obs[column].tolist() == whole.tolist()


def test_annotate_touches_nothing_else_and_survives_a_file(mdata, fit, fingerprint, tmp_path):
    model = fit(mdata)
    before = fingerprint(mdata)
    model.annotate()
    after = fingerprint(mdata)
    new = {key for key in after if after[key] != before.get(key)}
    places = ("", "rna", "adt")
    keys = ("X_hzau", "hzau_gate", "hzau_reliability", "hzau_novelty")
    assert new == {f"{p} obsm {key}" for p in places for key in keys} | {f"{p} obs" for p in places}
    for target in (mdata, *mdata.mod.values()):
        for column in ("hzau_suspicious", "hzau_novelty"):
            del target.obs[column]
    assert all(fingerprint(mdata)[f"{p} obs"] == before[f"{p} obs"] for p in places)
    model.annotate()
    mdata.write(tmp_path / "x.h5mu")
    back = mudata.read_h5mu(tmp_path / "x.h5mu")
    np.testing.assert_array_equal(back["adt"].obsm["X_hzau"], mdata["adt"].obsm["X_hzau"])
    np.testing.assert_allclose(back.obsm["hzau_gate"], mdata.obsm["hzau_gate"])
    for target, whole in ((back, mdata), (back["rna"], mdata["rna"])):
        assert target.obs["hzau_suspicious"].tolist() == whole.obs["hzau_suspicious"].tolist()


def test_annotate_removes_what_an_earlier_model_left(mdata, fit):
    model = fit(mdata)
    for target in (mdata, *mdata.mod.values()):
        target.obsm["hzau_agreement"] = np.zeros((target.n_obs, 1))
        target.obs["hzau_disagreeing"] = "rna|adt"
    model.annotate()
    # Too few validation cells for p-values: this model gives none.
    for target in (mdata, *mdata.mod.values()):
        assert "hzau_agreement" not in target.obsm
        assert "hzau_gate" in target.obsm
        assert "hzau_disagreeing" not in target.obs


def test_annotate_data_whose_modality_is_empty(model, query):
    rna_only = mudata.MuData({"rna": query["rna"], "adt": query["adt"][:0].copy()})
    rna_only.obs["batch"] = query.obs["batch"].reindex(rna_only.obs_names)
    model.annotate(rna_only)
    assert rna_only["adt"].obsm["X_hzau"].shape == (0, 4)
    assert (rna_only.obsm["hzau_gate"]["rna"] == 1).all()


def test_no_cells_give_no_rows(model, query):
    adata = model.to_anndata(query[:0].copy())
    assert adata.n_obs == 0
    assert adata.obsm["X_hzau"].shape == (0, model.get_latent_representation().shape[1])
    assert adata.obsm["hzau_gate"].columns.tolist() == ["rna", "adt"]


def test_all_cells_go_into_one_anndata(model):
    adata = model.to_anndata()
    mdata = model.adata
    assert adata.obs_names.equals(mdata.obs_names)
    assert adata.n_vars == 0
    np.testing.assert_array_equal(adata.obsm["X_hzau"], model.get_latent_representation())
    np.testing.assert_array_equal(adata.obsm["hzau_gate"], model.get_gate_weights())
    assert adata.obs["cell_type"].tolist() == mdata.obs["cell_type"].tolist()
    expected = {(True, True): "rna+adt", (True, False): "rna", (False, True): "adt"}
    found = [expected[tuple(row)] for row in model._store.present]
    assert adata.obs["modalities"].tolist() == found
    assert "modalities" not in mdata.obs


def test_registered_columns_come_along_from_the_modalities(fit):
    mdata = ho.data.simulate(40, n_features={"rna": 8, "adt": 5}, n_batches=2, missing=0.3)
    for adata in mdata.mod.values():
        adata.obs["plate"] = mdata.obs["batch"].loc[adata.obs_names].astype(str)
        adata.obs["kind"] = mdata.obs["cell_type"].loc[adata.obs_names].astype(str)
    expected = mdata.obs["batch"].tolist(), mdata.obs["cell_type"].tolist()
    model = fit(mdata, setup={"batch_key": "plate", "labels_key": "kind"})
    adata = model.to_anndata()
    assert adata.obs["plate"].tolist() == expected[0]
    assert adata.obs["kind"].tolist() == expected[1]


def test_scanpy_takes_over(model):
    adata = model.to_anndata()
    # The other method compiles all of UMAP first.
    sc.pp.neighbors(adata, use_rep="X_hzau", n_neighbors=5, method="gauss")
    assert adata.obsp["connectivities"].shape == (90, 90)
