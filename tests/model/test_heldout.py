import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData, concat
from mudata import MuData

from hzau_omics.errors import DataContractError


def _rebuilt(query, **replaced):
    """Return the query with modalities replaced (None: left out) and its batches."""
    mods = {name: adata.copy() for name, adata in query.mod.items()} | replaced
    mdata = MuData({name: adata for name, adata in mods.items() if adata is not None})
    mdata.obs["batch"] = query.obs["batch"].astype(str).reindex(mdata.obs_names)
    # MuData orders cells by modality.
    known = [name for name in query.obs_names if name in mdata.obs_names]
    return mdata if len(known) < mdata.n_obs else mdata[known].copy()


def _results(model, mdata):
    return {
        "latent": model.get_latent_representation(mdata),
        "imputed": model.impute("adt", mdata, n_samples=3, seed=0).X,
        "pit": model.get_pit("rna", mdata, n_samples=3, seed=0).to_numpy(),
        "elbo": model.get_elbo(mdata, return_mean=False, seed=0),
        "normalised": model.get_normalized_expression("rna", mdata, n_samples=2, seed=0),
    }


def _same(first, second):
    for name in first:
        np.testing.assert_allclose(first[name], second[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_views_are_read_like_copies(model, query):
    chosen = query.obs_names[::2]
    expected = _results(model, query[chosen].copy())
    _same(_results(model, query[chosen]), expected)
    of_views = MuData({name: query[chosen][name] for name in query.mod})
    of_views.obs["batch"] = query.obs["batch"].reindex(of_views.obs_names)
    again = _results(model, of_views[chosen])
    _same({"latent": again["latent"]}, {"latent": expected["latent"]})


def test_features_are_matched_by_name(model, query):
    reversed_genes = query["rna"][:, ::-1].copy()
    _same(_results(model, query), _results(model, _rebuilt(query, rna=reversed_genes)))


def test_further_features_and_modalities_are_ignored(model, query):
    rna = query["rna"]
    extra = AnnData(np.full((rna.n_obs, 3), 0.5, np.float32), obs=rna.obs[[]])
    extra.var_names = ["extra_0", "extra_1", "extra_2"]
    more = concat([extra, AnnData(rna.X.toarray(), obs=rna.obs[[]], var=rna.var)], axis=1)
    other = rna.copy()
    other.var_names = [f"other_{i}" for i in range(other.n_vars)]
    found = _results(model, _rebuilt(query, rna=more, other=other))
    _same(_results(model, query), found)


@pytest.mark.parametrize("form", [sp.csc_matrix, lambda x: x.toarray(), lambda x: x.astype(int)])
def test_how_values_are_stored_does_not_matter(model, query, form):
    rna = query["rna"].copy()
    rna.X = form(rna.X)
    _same(_results(model, query), _results(model, _rebuilt(query, rna=rna)))


def test_the_order_of_cells_does_not_change_a_cell(model, query):
    order = np.random.default_rng(1).permutation(query.n_obs)
    shuffled = query[order].copy()
    np.testing.assert_allclose(
        model.get_latent_representation(shuffled),
        model.get_latent_representation(query)[order],
        atol=1e-5,
    )
    assert model.impute("adt", shuffled, n_samples=1).obs_names.equals(shuffled.obs_names)


def test_the_training_cells_as_held_out_ones(model):
    np.testing.assert_array_equal(
        model.get_latent_representation(model.adata.copy()), model.get_latent_representation()
    )


@pytest.mark.parametrize("empty", [True, False], ids=["0 rows", "missing"])
def test_a_modality_may_be_missing(model, query, empty):
    adt = query["adt"][:0].copy() if empty else None
    rna_only = _rebuilt(query, adt=adt)
    found = _results(model, rna_only)
    assert np.isfinite(found["imputed"]).all()
    rows = query.obs_names.get_indexer(rna_only.obs_names)
    given = model.get_latent_representation(query, given="rna", indices=rows)
    np.testing.assert_allclose(found["latent"], given, atol=1e-5)
    assert not model.impute("adt", rna_only, n_samples=1).obs["observed"].any()
    assert model.get_pit("adt", rna_only, n_samples=1).isna().all(axis=None)


def _without_a_gene(query):
    return _rebuilt(query, rna=query["rna"][:, 1:].copy())


def _without_batch(query):
    mdata = _rebuilt(query)
    mdata.obs = mdata.obs.drop(columns="batch")
    return mdata


def _of_fractions(query):
    rna = query["rna"].copy()
    rna.X = rna.X * 0.3
    return _rebuilt(query, rna=rna)


def _with_nothing_known(query):
    rna = query["rna"].copy()
    rna.var_names = [f"x{i}" for i in range(rna.n_vars)]
    mdata = MuData({"atac": rna})
    mdata.obs["batch"] = "batch_0"
    return mdata


def _with_an_empty_cell(query):
    other = AnnData(np.ones((1, 2), np.float32), obs=pd.DataFrame(index=["lost"]))
    mdata = _rebuilt(query, other=other)
    mdata.obs["batch"] = mdata.obs["batch"].fillna("batch_0")
    return mdata


BAD = {
    "gene": (_without_a_gene, "'rna' lacks 1 of 16 registered features: 'rna_0'"),
    "no batch": (_without_batch, "batch key 'batch' is not a column"),
    "fractions": (_of_fractions, "non-negative integers"),
    "nothing": (_with_nothing_known, "one of the registered modalities.*'atac'"),
    "empty cell": (_with_an_empty_cell, "at least one registered modality.*lost"),
}


@pytest.mark.parametrize(("spoil", "message"), BAD.values(), ids=BAD)
def test_data_that_do_not_fit_are_refused(model, query, spoil, message):
    with pytest.raises(DataContractError, match=message):
        model.get_latent_representation(spoil(query))


def test_anndata_is_refused(model, query):
    with pytest.raises(TypeError, match=r"Received an AnnData. Wrap it"):
        model.get_latent_representation(query["rna"])


def test_held_out_data_stay_as_they_are(model, query, fingerprint):
    before = fingerprint(query)
    _results(model, query)
    model.get_gate_weights(query)
    model.get_reconstruction_error(query)
    model.get_marginal_ll(query, n_samples=2)
    model.to_anndata(query)
    assert fingerprint(query) == before
    assert not query.uns
