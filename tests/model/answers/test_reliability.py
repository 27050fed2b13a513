"""Reliability: probabilities that find failed measurements, also of held-out cells."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

import hzau_omics as ho
from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE
from hzau_omics.model.training import corruption

DESIGN = {"n_features": {"rna": 60, "adt": 20}, "missing": {"adt": 0.2}}


def paired():
    """Held-out cells that have both modalities."""
    held_out = ho.data.simulate(1100, seed=0, **DESIGN)[:300].copy()
    return held_out[np.asarray(held_out.obsmap["adt"]).reshape(-1) > 0].copy()


@pytest.fixture(scope="module")
def trained():
    """A model that is large enough to tell noise from cells."""
    mdata = ho.data.simulate(1100, seed=0, **DESIGN)[300:].copy()
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model = HZAUVAE(mdata, n_latent=6, n_hidden=32)
    model.train(
        max_epochs=50, seed=0, enable_progress_bar=False, accelerator="cpu",
        early_stopping=False, plan_kwargs={"corruption": 0.25},
    )  # fmt: skip
    return model


def test_every_measurement_gets_a_probability(trained):
    found = trained.get_reliability()
    present = trained._store.present
    assert found.columns.tolist() == ["rna", "adt"]
    assert found.index.equals(trained.adata.obs_names)
    np.testing.assert_array_equal(found.notna(), present)
    values = found.to_numpy()[present]
    assert ((values >= 0) & (values <= 1)).all()
    assert values.mean() > 0.9


@pytest.mark.parametrize("modality", ["rna", "adt"])
def test_failed_measurements_of_held_out_cells_are_found(trained, modality):
    rng = np.random.default_rng(1)
    clean = paired()
    spoilt = clean.copy()
    x = np.asarray(spoilt[modality].X.toarray())
    profile = x.sum(0) / x.sum()
    spoilt[modality].X = np.stack([rng.multinomial(int(row.sum()), profile) for row in x]).astype(
        np.float32
    )
    good, bad = (trained.get_reliability(m)[modality].to_numpy() for m in (clean, spoilt))
    labels = np.repeat([1, 0], len(good))
    assert roc_auc_score(labels, np.concatenate([good, bad])) > 0.9
    weights = [trained.get_gate_weights(m)[modality].mean() for m in (clean, spoilt)]
    assert weights[1] < 0.7 * weights[0]
    # The other modality loses little reliability, although the two disagree.
    other = {"rna": "adt", "adt": "rna"}[modality]
    fell = trained.get_reliability(clean)[other] - trained.get_reliability(spoilt)[other]
    assert fell.mean() < 0.1


def test_swapped_measurements_are_found(trained):
    clean = paired()
    swapped = clean.copy()
    order = np.random.default_rng(0).permutation(clean.n_obs)
    swapped["adt"].X = clean["adt"].X[order]
    good, bad = (trained.get_agreement(m)["rna|adt"].to_numpy() for m in (clean, swapped))
    labels = np.repeat([0, 1], len(good))
    assert roc_auc_score(labels, np.concatenate([good, bad])) > 0.8
    rare = trained.get_agreement(swapped, kind="pvalue")["rna|adt"] < 0.05
    assert rare.mean() > 0.3
    # 5 %, within the accuracy that some sixty validation cells allow.
    assert (trained.get_agreement(clean, kind="pvalue")["rna|adt"] < 0.05).mean() < 0.17


def test_agreement_is_of_pairs_and_absent_where_one_is(trained):
    found = trained.get_agreement()
    assert found.columns.tolist() == ["rna|adt"]
    assert found.index.equals(trained.adata.obs_names)
    np.testing.assert_array_equal(found["rna|adt"].notna(), trained._store.present.all(1))
    p = trained.get_agreement(kind="pvalue")["rna|adt"].dropna()
    assert ((p > 0) & (p <= 1)).all()
    # High scores have low p-values.
    assert found["rna|adt"].dropna().corr(p, method="spearman") < -0.99


def test_models_without_agreement_say_so(mdata, fit):
    model = fit(mdata)
    with pytest.raises(ConfigError, match=r"kind must be one of .* Received 'p'"):
        model.get_agreement(kind="p")
    without = fit(mdata, train_size=1.0)
    with pytest.raises(ConfigError, match="p-values compare with calibration cells"):
        without.get_agreement(kind="pvalue")
    assert without.get_agreement().notna().any().all()
    one = mdata.copy()
    ho.model.VAE.setup_mudata(one, {"rna": "nb"})
    lone = ho.model.VAE(one, n_latent=3, n_hidden=8)
    lone.is_trained = True  # random weights will do
    with pytest.raises(ConfigError, match=r"two modalities.*setup_mudata.*HZAUVAE or MVAE"):
        lone.get_agreement()
    ho.model.MVAE.setup_mudata(one, {"rna": "nb", "adt": "nb"})
    several = ho.model.MVAE(one, n_latent=3, n_hidden=8)
    several.is_trained = True  # random weights will do
    assert list(several.get_agreement().columns) == ["rna|adt"]
    ho.model.CVAE.setup_mudata(one, {"rna": "nb", "adt": "nb"})
    conditional = ho.model.CVAE(one, n_latent=3, n_hidden=8)
    conditional.is_trained = True  # random weights will do
    with pytest.raises(ConfigError, match="compares posteriors of one modality each"):
        conditional.get_agreement()


def test_reliability_is_saved(trained, tmp_path):
    trained.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.get_reliability(trained.adata), trained.get_reliability())


def test_annotations_hold_reliability_and_suspicious_cells(trained):
    mdata = trained.adata.copy()
    counts = mdata["rna"].X.toarray()
    counts[0] = np.random.default_rng(0).permutation(counts[0])
    mdata["rna"].X = counts
    trained.annotate(mdata)
    found = mdata.obsm["hzau_reliability"]
    np.testing.assert_array_equal(found, trained.get_reliability(mdata))
    names = mdata.obs["hzau_suspicious"]
    expected = ["+".join(n for n in found.columns if row[n] < 0.5) for _, row in found.iterrows()]
    assert names.tolist() == expected
    assert (names == "").mean() > 0.8
    exported = trained.to_anndata(mdata)
    assert exported.obs["hzau_suspicious"].tolist() == expected
    p = mdata.obsm["hzau_agreement"]
    np.testing.assert_array_equal(p, trained.get_agreement(mdata, kind="pvalue"))
    pairs = [p.columns[0] if value < 0.01 else "" for value in p.iloc[:, 0]]
    assert mdata.obs["hzau_disagreeing"].tolist() == pairs
    assert exported.obs["hzau_disagreeing"].tolist() == pairs
    assert exported.obsm["hzau_agreement"].shape == p.shape


def test_without_corruption_or_validation_there_is_no_reliability(mdata, fit):
    model = fit(mdata, plan_kwargs={"corruption": 0.0})
    with pytest.raises(ConfigError, match="has seen no failed measurements"):
        model.get_reliability()
    model.annotate()
    assert "hzau_reliability" not in mdata.obsm
    every = fit(mdata, train_size=1.0)
    with pytest.raises(ConfigError, match="no held-out cells to calibrate it"):
        every.get_reliability()
    every.annotate()
    uniform = fit(mdata, options={"pool": "uniform"})
    with pytest.raises(ConfigError, match="beside the gate"):
        uniform.get_reliability()
    with pytest.raises(ConfigError, match=r"corruption must be a number in \[0, 1\)"):
        fit(mdata, plan_kwargs={"corruption": 1.0})


@pytest.mark.parametrize("n_cells", [5, 100, 101, 1000])
def test_profiles_are_of_runs_of_cells_none_of_them_twice(n_cells, monkeypatch):
    monkeypatch.setattr(corruption, "PROFILE_CELLS", 100)
    cells = np.arange(n_cells) * 3
    found = corruption._some_runs(cells, np.random.default_rng(0))
    assert len(found) == len(set(found)) >= min(n_cells, 100 - corruption.RUN)
    assert len(found) <= 100
    assert set(found) <= set(cells)
    assert (np.diff(found) > 0).all()
    if n_cells > 100:
        assert (np.diff(found) == 3).mean() >= 1 - 1 / corruption.RUN


def test_heads_go_on_learning_where_a_call_was_too_short(mdata, fit, quick):
    twice = fit(mdata, max_epochs=1)
    before = [p.clone() for p in twice.module.reliability.heads.parameters()]
    taught = int(twice.module.reliability.head_steps)
    assert 0 < taught < 600
    twice.train(**{**quick, "max_epochs": 3})
    assert int(twice.module.reliability.head_steps) == min(600, 4 * taught)
    after = list(twice.module.reliability.heads.parameters())
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
