"""Mapping of new cells with training of their own batches alone."""

import mudata
import numpy as np
import pytest
import torch
from mudata import MuData

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model import HZAUVAE
from tests.model.conftest import QUICK, fit_model

SIZES = {"rna": 16, "adt": 7}


def _simulated(n_batches, *, n_obs=90, **design):
    return ho.data.simulate(n_obs, n_features=SIZES, n_batches=n_batches, seed=1, **design)


def _of(mdata, batches, *, lacking=(), dropped=()):
    """Return the cells of some batches without some modalities, and proteins by position."""
    cells = mdata[mdata.obs["batch"].isin(batches).to_numpy()].copy()
    mods = {name: adata.copy() for name, adata in cells.mod.items() if name not in lacking}
    if "adt" in mods:
        kept = [i for i in range(SIZES["adt"]) if i not in dropped]
        mods["adt"] = mods["adt"][:, kept].copy()
    rebuilt = MuData(mods)
    rebuilt.obs["batch"] = cells.obs["batch"].astype(str).reindex(rebuilt.obs_names)
    return rebuilt


@pytest.fixture(scope="module")
def three():
    """Return cells of four batches, and a model of the first three."""
    mdata = _simulated(4)
    reference = _of(mdata, ["batch_0", "batch_1", "batch_2"])
    return mdata, fit_model(reference, setup={"batch_key": "batch"})


@pytest.fixture(scope="module")
def one():
    """Return cells of three batches, and a model of the first one without a batch key."""
    mdata = _simulated(3)
    reference = _of(mdata, ["batch_0"])
    modalities = {
        "rna": ho.data.ModalitySpec(
            likelihood="nb", library="observed", dispersion="feature-batch"
        ),
        "adt": "nb_mixture",
    }
    return mdata, fit_model(reference, modalities)


def _answers(model, mdata=None):
    """Return answers of a model; predictions without neighbours, which are training cells."""
    imputed = model.impute("adt", mdata, given="rna", n_samples=3, seed=0, neighbours=False)
    return {
        "latent": model.get_latent_representation(mdata),
        "of adt": model.get_latent_representation(mdata, given="adt"),
        "gate": model.get_gate_weights(mdata).to_numpy(),
        "imputed": imputed.X,
        "reliability": model.get_reliability(mdata).to_numpy(),
    }


def _check_same(first, second):
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name], err_msg=name)


@pytest.mark.parametrize("which", ["one", "three"])
def test_answers_about_the_reference_stay_bit_by_bit(which, request):
    mdata, reference = request.getfixturevalue(which)
    weights = {k: v.clone() for k, v in reference.module.state_dict().items()}
    before = _answers(reference)
    new = {"one": ["batch_1", "batch_2"], "three": ["batch_3"]}[which]
    model = HZAUVAE.load_query_data(_of(mdata, new), reference, batch_key="batch")
    _check_same(before, _answers(model, reference.adata))
    of_query = model.get_latent_representation()
    model.train(**QUICK)
    _check_same(before, _answers(model, reference.adata))
    assert not np.array_equal(of_query, model.get_latent_representation())
    assert all(torch.equal(v, weights[k]) for k, v in reference.module.state_dict().items())
    own = model.module.state_dict()
    assert all(torch.equal(v, own[k]) for k, v in weights.items() if v.shape == own[k].shape)


def test_only_what_belongs_to_new_batches_is_trained(one):
    mdata, reference = one
    model = HZAUVAE.load_query_data(
        _of(mdata, ["batch_1", "batch_2"]), reference, batch_key="batch"
    )
    trained = {n: p for n, p in model.module.named_parameters() if p.requires_grad}
    assert trained
    assert all("added" in name for name in trained)
    assert not any(name.startswith("reliability") for name in trained)
    before = {n: p.detach().clone() for n, p in trained.items()}
    model.train(**QUICK)
    assert all(p.requires_grad for p in trained.values())
    assert all(not torch.equal(p, before[n]) for n, p in trained.items())


def test_training_raises_the_elbo_of_the_query(one):
    mdata, reference = one
    query = _of(mdata, ["batch_1"])
    query["adt"].X = query["adt"].X * 5
    model = HZAUVAE.load_query_data(query, reference, batch_key="batch")
    assert model.is_trained_
    before = model.get_elbo(seed=0)
    model.train(**{**QUICK, "max_epochs": 20})
    assert model.get_elbo(seed=0) > before
    assert model.n_epochs_trained_ == 20


def test_one_batch_becomes_three(one):
    mdata, reference = one
    model = HZAUVAE.load_query_data(
        _of(mdata, ["batch_1", "batch_2"]), reference, batch_key="batch"
    )
    assert model.layout.batch.categories == ("batch_0", "batch_1", "batch_2")
    assert model.layout.n_added == 2
    assert model.module.config.n_covariates == 2
    # Without the column, cells are of the reference.
    bare = reference.adata.copy()
    del bare.obs["batch"]
    _check_same(_answers(reference), _answers(model, bare))


def test_a_new_batch_may_lack_a_modality(three):
    mdata, reference = three
    query = _of(mdata, ["batch_3"], lacking=["adt"])
    model = HZAUVAE.load_query_data(query, reference)
    assert model.layout.modality("adt").measured.tolist() == [True, True, True, False]
    model.train(**QUICK)
    imputed = model.impute("adt", n_samples=3, seed=0)
    assert imputed.shape == (query.n_obs, SIZES["adt"])
    assert np.isfinite(imputed.X).all()


def test_a_new_batch_may_lack_features(three):
    mdata, reference = three
    query = _of(mdata, ["batch_3"], dropped=[1, 4, 5])
    model = HZAUVAE.load_query_data(query, reference)
    panel = model.layout.modality("adt").panel
    assert panel[:3].all()
    assert (~panel[3]).nonzero()[0].tolist() == [1, 4, 5]
    before = _answers(model, reference.adata)
    _check_same(_answers(reference), before)
    model.train(**QUICK)
    _check_same(before, _answers(model, reference.adata))
    imputed = model.impute("adt", n_samples=3, seed=0)
    assert np.isfinite(imputed.X).all()
    assert imputed.layers["measured"].sum(1).tolist() == [4] * query.n_obs


def test_known_batches_may_be_among_the_query(three):
    mdata, reference = three
    model = HZAUVAE.load_query_data(_of(mdata, ["batch_3", "batch_0"]), reference)
    assert model.layout.batch.categories[3:] == ("batch_3",)
    model.train(**QUICK)


def test_saved_and_loaded(three, tmp_path):
    mdata, reference = three
    query = _of(mdata, ["batch_3"], dropped=[2])
    reference.save(tmp_path / "reference", save_anndata=True)
    model = HZAUVAE.load_query_data(query, tmp_path / "reference")
    assert model.module.points.usable.all()
    model.train(**QUICK)
    model.save(tmp_path / "query")
    loaded = HZAUVAE.load(tmp_path / "query", query)
    _check_same(_answers(model), _answers(loaded))
    assert loaded.layout == model.layout
    assert {n for n, p in loaded.module.named_parameters() if p.requires_grad} == {
        n for n, p in model.module.named_parameters() if p.requires_grad
    }
    loaded.train(**QUICK)
    _check_same(_answers(model, reference.adata), _answers(loaded, reference.adata))


def test_a_reference_without_data_gives_the_posteriors_that_it_kept(three, tmp_path):
    mdata, reference = three
    reference.save(tmp_path / "reference")
    model = HZAUVAE.load_query_data(_of(mdata, ["batch_3"]), tmp_path / "reference")
    points = model.module.points
    kept = reference.reference_.views["rna", "adt"].posterior.mean.float()
    subset = model.module.family.subsets.index(("rna", "adt"))
    assert points.usable.all()
    assert torch.cdist(points.mean[subset], kept).min(1).values.max() < 1e-5
    model.train(**QUICK)


def test_a_store_on_disk(three, tmp_path):
    pytest.importorskip("annbatch")
    mdata, reference = three
    query = _of(mdata, ["batch_3"], dropped=[2])
    path = tmp_path / "query.zarr"
    ho.data.write_store(query, path, {"rna": "nb", "adt": "nb"}, batch_key="batch")
    model = HZAUVAE.load_query_data(ho.data.open_store(path), reference)
    in_memory = HZAUVAE.load_query_data(query, reference)
    assert model.layout == in_memory.layout
    np.testing.assert_allclose(
        model.get_latent_representation(), in_memory.get_latent_representation(), atol=1e-5
    )
    model.train(**QUICK)


def test_refused(three, one):
    mdata, reference = three
    with pytest.raises(DataContractError, match=r"all are known.*mdata="):
        HZAUVAE.load_query_data(_of(mdata, ["batch_0"]), reference)
    query = _of(mdata, ["batch_3"])
    with pytest.raises(ConfigError, match="leave it out, and name"):
        HZAUVAE.load_query_data(query, reference, batch_key="sample")
    other = _of(mdata, ["batch_3"])
    other["rna"].var_names = [f"other_{i}" for i in range(SIZES["rna"])]
    with pytest.raises(DataContractError, match="measured 0 of the 16 registered features"):
        HZAUVAE.load_query_data(other, reference)
    with pytest.raises(ConfigError, match="without batch_key"):
        HZAUVAE.load_query_data(_of(one[0], ["batch_1"]), one[1])
    with pytest.raises(ConfigError, match="Received int"):
        HZAUVAE.load_query_data(query, 3)
    model = HZAUVAE.load_query_data(query, reference)
    with pytest.raises(ConfigError, match="added to a model once"):
        HZAUVAE.load_query_data(_of(_simulated(5), ["batch_4"]), model)
    with pytest.raises(ConfigError, match="teach reliability"):
        model.train(**QUICK, plan_kwargs={"corruption": 0.1})


def _measured_in(mdata, batch, n_cells):
    """Return cells of a batch with 200 genes, and the proteins that the batch measured."""
    cells = mdata[(mdata.obs["batch"] == batch).to_numpy()][:n_cells].copy()
    proteins = cells["prot"][:, cells["prot"].var[f"measured_{batch}"].to_numpy()]
    rebuilt = MuData({"rna": cells["rna"][:, ::16].copy(), "prot": proteins.copy()})
    for key in ("batch", "cell_type"):
        rebuilt.obs[key] = cells.obs[key].astype(str)
    return rebuilt


def _accuracy(reference, model, query):
    """Return how often the nearest reference cell by protein has the type of a query cell."""
    theirs = reference.get_latent_representation(given="prot")
    own = model.get_latent_representation(given="prot")
    types = reference.adata.obs["cell_type"].to_numpy()
    nearest = np.linalg.norm(own[:, None] - theirs, axis=-1).argmin(1)
    labelled = query.obs["cell_type"].to_numpy() != "unknown"
    return float((types[nearest] == query.obs["cell_type"].to_numpy())[labelled].mean())


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:var_names are not unique")
def test_blood_cells_with_another_panel_and_staining(data_file):
    mdata = mudata.read_h5mu(data_file("citeseq_pbmc_2batch_labelled.h5mu"))
    old, query = _measured_in(mdata, "PBMC10k", 500), _measured_in(mdata, "InHouse", 300)
    old = old[(old.obs["cell_type"] != "unknown").to_numpy()].copy()
    options = {"options": {"n_latent": 10, "n_hidden": 32}, "batch_size": 64}
    reference = fit_model(old, {"rna": "nb", "prot": "nb"}, max_epochs=15, **options)
    model = HZAUVAE.load_query_data(query, reference, batch_key="batch")
    before = _accuracy(reference, model, query)
    model.train(**{**QUICK, "max_epochs": 15})
    after = _accuracy(reference, model, query)
    assert after > max(before, 0.9), (before, after)


@pytest.mark.filterwarnings("ignore:The staining of:hzau_omics.errors.HzauWarning")
def test_cells_of_added_batches_stay_as_they_are_beside_a_further_one(three):
    """A batch that the query model does not know changes nothing for those that it does."""
    mdata, reference = three
    added = _of(mdata, ["batch_3"])
    model = HZAUVAE.load_query_data(added, reference)
    model.train(**QUICK)
    further = _of(mdata, ["batch_3"])
    further.obs["batch"] = further.obs["batch"].astype(str)
    half = np.arange(further.n_obs) % 2 == 0
    further.obs.loc[half, "batch"] = "batch_9"
    found = model.get_latent_representation(further)
    np.testing.assert_allclose(
        found[~half], model.get_latent_representation(added)[~half], atol=1e-5
    )
