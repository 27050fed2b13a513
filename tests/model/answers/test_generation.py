"""New cells from the prior and from other modalities."""

import numpy as np
import pytest
import torch
from mudata import MuData

import hzau_omics as ho
from hzau_omics import model as models
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.answers.decoding import ModalityPredictor

SIZES = {"n_latent": 4, "n_hidden": 16}


@pytest.fixture(scope="module")
def mdata():
    return ho.data.simulate(
        120, n_features={"x": 12, "label": 3}, likelihoods={"x": "nb", "label": "categorical"},
        missing={"x": 0.2}, n_batches=2, seed=3,
    )  # fmt: skip


@pytest.fixture(scope="module")
def model(mdata):
    models.MVAE.setup_mudata(mdata, {"x": "nb", "label": "categorical"}, batch_key="batch")
    model = models.MVAE(mdata, **SIZES)
    model.train(max_epochs=30, batch_size=32, accelerator="cpu", enable_progress_bar=False, seed=0)
    return model


def test_all_modalities_are_drawn_of_the_same_new_cells(model):
    drawn = model.sample(11, seed=1)
    assert isinstance(drawn, MuData)
    assert set(drawn.mod) == {"x", "label"}
    for adata in drawn.mod.values():
        np.testing.assert_array_equal(adata.obsm["X_mvae"], drawn["x"].obsm["X_mvae"])
    np.testing.assert_array_equal(drawn["label"].X.sum(1), 1)
    one = model.sample(11, "x", seed=1)
    np.testing.assert_array_equal(one.obsm["X_mvae"], drawn["x"].obsm["X_mvae"])


def test_means_are_what_draws_average_to(model):
    one = model.sample(1, "label", seed=1, give_mean=True).X[0]
    assert one.sum() == pytest.approx(1, abs=1e-5)
    assert 0 < one.max() < 1


def test_generated_cells_are_like_those_they_come_from(model, mdata):
    has = np.flatnonzero(model._store.present.all(1))[:6]
    cells = mdata[has].copy()
    found = model.generate("x", cells, n_samples=400, give_mean=True, seed=0)
    assert found.shape == (6 * 400, 12)
    assert found.obs["cell"].tolist() == np.repeat(cells.obs_names, 400).tolist()
    assert found.obs["draw"].tolist() == [*range(400)] * 6
    means = found.X.reshape(6, 400, 12).mean(1)
    expected = model.impute("x", cells, given="label", n_samples=400, seed=1).X
    np.testing.assert_allclose(means, expected, rtol=0.15, atol=0.05)
    # Draws have the noise of counts, too.
    drawn = model.generate("x", cells, n_samples=400, seed=0)
    np.testing.assert_array_equal(drawn.X, np.round(drawn.X))
    assert drawn.X.var() > found.X.var()
    np.testing.assert_allclose(drawn.X.mean(), found.X.mean(), rtol=0.1)


def test_what_is_generated_is_not_looked_at(model, mdata):
    has = np.flatnonzero(model._store.present.all(1))[:6]
    whole = mdata[has].copy()
    alone = MuData({"label": whole["label"].copy()})
    alone.obs["batch"] = whole.obs["batch"].to_numpy()
    found = [model.generate("x", cells, n_samples=2, seed=4) for cells in (whole, alone)]
    np.testing.assert_array_equal(found[0].X, found[1].X)


def test_a_seed_gives_the_same_cells(model, mdata):
    first = model.generate("label", mdata[model._store.present[:, 0]].copy(), seed=5)
    again = model.generate("label", mdata[model._store.present[:, 0]].copy(), seed=5)
    np.testing.assert_array_equal(first.X, again.X)
    assert first.obs_names.is_unique


def test_features_of_a_draw_share_a_latent_across_batches():
    panel = ho.data.simulate(
        80, n_features={"x": 12, "y": 6}, n_batches=2, seed=1, missing={"x": 0.0}
    )
    unmeasured = np.ix_(
        panel["x"].obs_names.isin(panel.obs_names[panel.obs["batch"] == "batch_0"]), range(6, 12)
    )
    values = panel["x"].X.toarray()
    values[unmeasured] = 0
    panel["x"].X = values
    panel["x"].var["measured_batch_0"] = [True] * 6 + [False] * 6
    panel["x"].var["measured_batch_1"] = True
    models.MVAE.setup_mudata(panel, {"x": "nb", "y": "nb"}, batch_key="batch", panel_key="measured")
    model = models.MVAE(panel, **SIZES)
    model.is_trained = True  # random weights will do
    cells = panel[panel.obs["batch"] == "batch_0"][:3].copy()
    found = model.generate("x", cells, n_samples=5, give_mean=True, seed=0)
    assert len(np.unique(found.obsm["X_mvae"], axis=0)) == 15
    # What batch_0 did not measure is decoded as batch_1, from the same latents.
    predictor = ModalityPredictor(model.module, model.layout, "x")
    batch = model._session(cells, None, None).store.minibatch(np.repeat(np.arange(3), 5))
    z = torch.from_numpy(found.obsm["X_mvae"])
    likelihood = model.module.decoder(0).likelihood
    with torch.inference_mode():
        model.module.eval()
        for code, features in ((0, slice(0, 6)), (1, slice(6, 12))):
            expected = likelihood.mean(predictor.parameters(z, batch, decode_as=code))
            np.testing.assert_allclose(found.X[:, features], expected[:, features], rtol=1e-4)


def test_new_cells_take_turns_as_batches(model):
    drawn = model.sample(5, seed=0)
    for adata in drawn.mod.values():
        assert adata.obs["decoded_as"].tolist() == [f"batch_{i % 2}" for i in range(5)]
    both, *each = (
        model.sample(6, "x", transform_batch=b, give_mean=True, seed=0).X
        for b in (["batch_0", "batch_1"], "batch_0", "batch_1")
    )
    np.testing.assert_allclose(
        both, np.where(np.arange(6)[:, None] % 2, each[1], each[0]), rtol=1e-4
    )


def test_generated_cells_take_turns_as_the_batches_asked_for(model, mdata):
    cells = mdata[model._store.present.all(1)][:4].copy()
    both, *each = (
        model.generate("x", cells, transform_batch=b, give_mean=True, seed=0).X
        for b in (["batch_0", "batch_1"], "batch_0", "batch_1")
    )
    np.testing.assert_allclose(
        both, np.where(np.arange(4)[:, None] % 2, each[1], each[0]), rtol=1e-4
    )
    assert not np.allclose(each[0], each[1])


def test_what_a_batch_did_not_measure_is_drawn_as_one_that_did(panel_model):
    drawn = panel_model.sample(40, "adt", give_mean=True, seed=0)
    lacking = (drawn.obs["decoded_as"] == "batch_1").to_numpy()
    assert lacking.sum() == 20
    assert (drawn.X[lacking][:, 6:].mean(0) > 0.01).all()


def test_one_draw_has_one_depth_across_batches(panel_model):
    # Features 0 to 5 are decoded as batch_1, the others as batch_0.
    cells = panel_model.adata[panel_model.adata.obs["batch"] == "batch_1"][:1].copy()
    found = panel_model.generate("adt", cells, n_samples=300, give_mean=True, seed=0).X
    totals = np.log([found[:, :6].sum(1), found[:, 6:].sum(1)])
    assert np.corrcoef(totals)[0, 1] > 0.5


def test_conditions_may_be_chosen():
    three = ho.data.simulate(40, n_features={"a": 9, "b": 5, "c": 5}, seed=1)
    models.BiVCCA.setup_mudata(three, dict.fromkeys("abc", "nb"))
    model = models.BiVCCA(three, **SIZES)
    model.is_trained = True  # random weights will do
    assert model.generate("a", three, conditions="b", seed=0).shape == (40, 9)
    with pytest.raises(ConfigError, match=r"no posterior of b\+c.*conditions= of generate"):
        model.generate("a", three)


def test_cells_with_nothing_to_generate_from_are_named(model, mdata):
    lacking = np.flatnonzero(~model._store.present[:, 0])[:2]
    with pytest.raises(DataContractError, match=r"another modality \(x\). Received 2 of 2 cells"):
        model.generate("label", mdata[lacking].copy())
    with pytest.raises(ConfigError, match="n_samples must be a positive integer"):
        model.generate("x", mdata, n_samples=0)


def test_a_model_of_one_modality_has_nothing_to_generate_from(mdata):
    models.VAE.setup_mudata(mdata, {"label": "categorical"})
    model = models.VAE(mdata, **SIZES)
    with pytest.raises(ConfigError, match=r"nothing to generate it from. Call sample"):
        model.generate("label", mdata)


def test_a_conditional_model_generates_from_its_condition_alone(mdata):
    models.CVAE.setup_mudata(mdata, {"x": "nb", "label": "categorical"})
    model = models.CVAE(mdata, **SIZES)
    model.is_trained = True  # random weights will do
    labels = MuData({"label": mdata["label"][:4].copy()})
    assert model.generate("x", labels, n_samples=3, seed=0).shape == (12, 12)
    with pytest.raises(ConfigError, match="Call generate with cells that have it"):
        model.sample(3)
