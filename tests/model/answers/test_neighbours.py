"""Imputation with neighbours, against the same computed directly."""

import numpy as np
import pytest
import torch
from scipy.special import softmax

import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE
from hzau_omics.model.answers import neighbours as module
from hzau_omics.model.answers.neighbours import NeighbourSetting, ReferenceCells
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.reliability.agreement import log_agreement

SHARE, TEMPERATURE = 0.6, 2.0
SETTING = NeighbourSetting("adt", ("rna",), SHARE, TEMPERATURE)


@pytest.fixture
def mixing(model, monkeypatch):
    """The shared model, with neighbours that count."""
    monkeypatch.setattr(module, "MIN_REFERENCE", 5)
    monkeypatch.setattr(model, "neighbours_", (SETTING,), raising=False)
    return model


def reference_cells(model):
    has = model._store.present.all(1)
    return np.sort([cell for cell in model.train_indices_ if has[cell]])


def expected_weights(model, cell, others, mdata=None):
    """Weights of other cells of the batch, from the agreement of single pairs."""
    own = model.get_latent_representation(mdata, given="rna", return_dist=True)
    theirs = model.get_latent_representation(given="rna", return_dist=True)

    def posterior(part, i):
        mean, variance = (torch.from_numpy(values[i]).double() for values in part)
        return DiagonalGaussian(mean, (variance + module.WITHIN_STATE).log())

    a = posterior(own, cell)
    scores = [float(log_agreement(a, posterior(theirs, j))) for j in others]
    return softmax(np.array(scores) / TEMPERATURE)


def of_batch(model, cell, mdata=None):
    batch = model.adata.obs["batch"].astype(str).to_numpy()
    asked = batch if mdata is None else mdata.obs["batch"].astype(str).to_numpy()
    name = (model.adata if mdata is None else mdata).obs_names[cell]
    return [
        j
        for j in reference_cells(model)
        if batch[j] == asked[cell] and model.adata.obs_names[j] != name
    ]


def counts(model, cells):
    names = model.adata.obs_names[cells]
    return model.adata["adt"][names].X.toarray().astype(float)


def test_means_are_those_of_the_mixture(mixing):
    options = {"given": "rna", "n_samples": 3, "quantiles": (), "seed": 0}
    mixed = mixing.impute("adt", **options)
    alone = mixing.impute("adt", neighbours=False, **options)
    for cell in reference_cells(mixing)[:5]:
        others = of_batch(mixing, cell)
        weights, values = expected_weights(mixing, cell, others), counts(mixing, others)
        for found, own, theirs in (
            (mixed.X, alone.X, values),
            (mixed.layers["log1p_mean"], alone.layers["log1p_mean"], np.log1p(values)),
        ):
            expected = (1 - SHARE) * own[cell] + SHARE * weights @ theirs
            np.testing.assert_allclose(found[cell], expected, rtol=1e-3)


def test_held_out_cells_have_neighbours_among_training_cells(mixing, query):
    has_rna = query.obs_names.isin(query["rna"].obs_names)
    measured = query.obs["batch"].astype(str).to_numpy() != "batch_1"
    cell = int(np.flatnonzero(has_rna & measured)[0])
    options = {"given": "rna", "n_samples": 2, "quantiles": (), "seed": 0}
    mixed = mixing.impute("adt", query, **options).X[cell]
    alone = mixing.impute("adt", query, neighbours=False, **options).X[cell]
    others = of_batch(mixing, cell, query)
    weights = expected_weights(mixing, cell, others, query)
    expected = (1 - SHARE) * alone + SHARE * weights @ counts(mixing, others)
    np.testing.assert_allclose(mixed, expected, rtol=1e-3)


def test_quantiles_are_those_of_the_mixture(mixing, monkeypatch):
    monkeypatch.setattr(mixing, "neighbours_", (NeighbourSetting("adt", ("rna",), 1.0, 2.0),))
    cell = int(reference_cells(mixing)[0])
    others = of_batch(mixing, cell)
    weights, values = expected_weights(mixing, cell, others), counts(mixing, others)
    options = {"given": "rna", "indices": [cell], "quantiles": (0.3, 0.8), "seed": 0}
    found = mixing.impute("adt", n_samples=4000, **options)
    for name, probability in (("q30", 0.3), ("q80", 0.8)):
        for f in range(values.shape[1]):
            at = found.layers[name][0, f]
            below = weights[values[:, f] < at - 1e-6].sum()
            upto = weights[values[:, f] <= at + 1e-6].sum()
            assert below - 0.03 <= probability <= upto + 0.03


def test_quantiles_lie_between_those_of_both_parts(mixing):
    options = {"given": "rna", "n_samples": 400, "seed": 0, "quantiles": 0.5}
    mixed, alone = (
        mixing.impute("adt", neighbours=wanted, **options).layers["q50"] for wanted in (True, False)
    )
    mixing.neighbours_ = (NeighbourSetting("adt", ("rna",), 1.0, TEMPERATURE),)
    theirs = mixing.impute("adt", **options).layers["q50"]
    low, high = np.minimum(alone, theirs), np.maximum(alone, theirs)
    outside = (mixed < low - 0.5) | (mixed > high + 0.5)
    assert outside.mean() < 0.05


def test_cells_that_show_the_modality_are_left_to_the_decoder(mixing):
    for given in (None, ["rna", "adt"]):
        found = [
            mixing.impute("adt", given=given, n_samples=2, quantiles=(), seed=0, neighbours=wanted)
            for wanted in (True, False)
        ]
        seen = mixing._store.present[:, 1]
        np.testing.assert_array_equal(found[0].X[seen], found[1].X[seen])


def test_a_cell_is_not_its_own_neighbour(mixing):
    cells = reference_cells(mixing)
    reference = ReferenceCells(mixing.module, mixing._store, mixing.train_indices_, "adt")
    found = reference.positions_of(mixing.adata.obs_names[cells])
    np.testing.assert_array_equal(np.sort(found), np.unique(found))
    assert (found >= 0).all()
    options = {"given": "rna", "n_samples": 2, "quantiles": (), "seed": 0}
    sharp = NeighbourSetting("adt", ("rna",), 1.0, 1e-7)
    mixing.neighbours_ = (sharp,)
    values = mixing.impute("adt", indices=cells, **options).X
    # Each prediction is what one other cell measured.
    for row, cell in enumerate(cells):
        others = counts(mixing, of_batch(mixing, cell))
        assert np.isclose(values[row], others, atol=1e-2).all(1).any()


def test_minibatches_do_not_matter(mixing):
    parts = []
    for size in (7, 64):
        options = {"given": "rna", "n_samples": 2, "quantiles": (), "seed": 0, "batch_size": size}
        mixed = mixing.impute("adt", **options).X
        alone = mixing.impute("adt", neighbours=False, **options).X
        parts.append((mixed - (1 - SHARE) * alone)[mixing._store.present[:, 0]])
    np.testing.assert_allclose(parts[0], parts[1], rtol=1e-3, atol=1e-4)


def test_the_same_seed_gives_the_same_result(mixing):
    first, second = (mixing.impute("adt", given="rna", n_samples=5, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first.X, second.X)
    np.testing.assert_array_equal(first.layers["q95"], second.layers["q95"])
    pits = [mixing.get_pit("adt", given="rna", n_samples=5, seed=3) for _ in range(2)]
    np.testing.assert_array_equal(*pits)
    alone = mixing.get_pit("adt", given="rna", n_samples=5, seed=3, neighbours=False)
    assert not np.array_equal(pits[0], alone, equal_nan=True)


def test_settings_are_saved_and_neighbours_need_the_training_cells(mixing, query, tmp_path):
    mixing.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model", mixing.adata.copy(), accelerator="cpu")
    assert loaded.neighbours_ == (SETTING,)
    options = {"given": "rna", "n_samples": 2, "seed": 0}
    mixed = mixing.impute("adt", query, **options)
    np.testing.assert_array_equal(loaded.impute("adt", query, **options).X, mixed.X)
    alone = mixing.impute("adt", query, neighbours=False, **options)
    without = HZAUVAE.load(tmp_path / "model", False, accelerator="cpu")
    assert without.neighbours_ == (SETTING,)
    np.testing.assert_array_equal(without.impute("adt", query, **options).X, alone.X)
    # Changed training cells are not what neighbours were learned on.
    loaded.adata["adt"].X[0, 0] += 1
    np.testing.assert_array_equal(loaded.impute("adt", query, **options).X, alone.X)


def test_a_batch_with_few_cells_is_left_to_the_decoder(mixing, monkeypatch):
    monkeypatch.setattr(module, "MIN_REFERENCE", 1000)
    options = {"given": "rna", "n_samples": 2, "seed": 0}
    found = [mixing.impute("adt", neighbours=wanted, **options).X for wanted in (True, False)]
    np.testing.assert_array_equal(*found)


def test_with_panels_only_features_of_the_batch_have_neighbours(panel_model, monkeypatch):
    monkeypatch.setattr(module, "MIN_REFERENCE", 5)
    monkeypatch.setattr(panel_model, "neighbours_", (SETTING,), raising=False)
    options = {"given": "rna", "n_samples": 2, "seed": 0, "quantiles": ()}
    found = panel_model.impute("adt", **options)
    assert np.isfinite(found.X).all()
    alone = panel_model.impute("adt", neighbours=False, **options)
    poor = (panel_model.adata.obs["batch"] == "batch_1").to_numpy()
    # A feature that batch_1 lacks is decoded as batch_0, whose cells are then the neighbours.
    assert not np.isclose(found.X[poor, 6:], alone.X[poor, 6:]).all()
    assert not np.isclose(found.X[poor, :6], alone.X[poor, :6]).all()


def test_the_switch_is_checked(model):
    with pytest.raises(ConfigError, match="neighbours"):
        model.impute("adt", neighbours="yes")


def test_write_imputed_mixes_too(mixing, tmp_path):
    pytest.importorskip("zarr")
    import anndata

    options = {"given": "rna", "n_samples": 2, "seed": 0, "quantiles": ()}
    mixing.write_imputed(tmp_path / "a.zarr", "adt", **options)
    mixing.write_imputed(tmp_path / "b.zarr", "adt", neighbours=False, **options)
    found = [anndata.read_zarr(tmp_path / name).X for name in ("a.zarr", "b.zarr")]
    assert not np.allclose(*found)


def test_three_modalities_have_settings_of_their_own(fit, monkeypatch):
    mdata = ho.data.simulate(
        120, n_features={"rna": 10, "adt": 6, "atac": 8}, missing={"atac": 0.4}, seed=3
    )
    model = fit(mdata, dict.fromkeys(mdata.mod, "nb"))
    monkeypatch.setattr(module, "MIN_REFERENCE", 5)
    model.neighbours_ = (NeighbourSetting("adt", ("rna", "atac"), 1.0, TEMPERATURE),)
    options = {"given": ["rna", "atac"], "n_samples": 2, "seed": 0, "quantiles": ()}
    found = [model.impute("adt", neighbours=wanted, **options).X for wanted in (True, False)]
    both = model._store.present[:, [0, 2]].all(1)
    np.testing.assert_array_equal(found[0][~both], found[1][~both])
    assert not np.isclose(found[0][both], found[1][both]).all()
