"""Simulated data: what is generated is what was asked for, and the truth is in the object."""

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from scipy import sparse
from sklearn.linear_model import Ridge

from hzau_omics.data.sets.simulate import simulate
from hzau_omics.errors import ConfigError

ALL = {
    "rna": "nb",
    "adt": "poisson",
    "guide": "multinomial",
    "atac": "bernoulli",
    "label": "categorical",
    "emb": "normal",
}
SIZES = {"rna": 40, "adt": 12, "guide": 8, "atac": 30, "label": 5, "emb": 6}


def dense(adata):
    return adata.X.toarray() if sparse.issparse(adata.X) else np.asarray(adata.X)


def r2_of_latent(mdata, name, rows):
    """Share of the true latent's variance that ridge regression explains on held-out cells."""
    counts = dense(mdata[name])
    x = np.log1p(100 * counts / counts.sum(axis=1, keepdims=True))
    z = mdata.obsm["z_true"]
    fit, held = rows[: len(rows) // 2], rows[len(rows) // 2 :]
    predicted = Ridge(1.0).fit(x[fit], z[fit]).predict(x[held])
    return 1 - ((z[held] - predicted) ** 2).sum() / ((z[held] - z[held].mean(axis=0)) ** 2).sum()


def test_same_seed_same_data_other_seed_other_data():
    options = {"n_features": SIZES, "likelihoods": ALL, "missing": 0.3, "reliability": 0.7}
    first, second, other = (simulate(40, seed=s, **options) for s in (3, 3, 4))
    assert first.obs.equals(second.obs)
    np.testing.assert_array_equal(first.obsm["z_true"], second.obsm["z_true"])
    for name in ALL:
        np.testing.assert_array_equal(dense(first[name]), dense(second[name]))
    assert not np.array_equal(first.obsm["z_true"], other.obsm["z_true"])


def test_a_modality_does_not_depend_on_the_others():
    alone = simulate(50, n_features={"adt": 12}, likelihoods={"adt": "poisson"}, seed=2)
    among = simulate(50, n_features=SIZES, likelihoods=ALL, seed=2)
    np.testing.assert_array_equal(dense(alone["adt"]), dense(among["adt"]))


def test_values_are_in_the_domain_of_their_likelihood():
    mdata = simulate(60, n_features=SIZES, likelihoods=ALL, n_batches=2, reliability=0.5)
    for name in ("rna", "adt", "guide"):
        x = dense(mdata[name])
        assert sparse.issparse(mdata[name].X)
        assert (x >= 0).all()
        np.testing.assert_array_equal(x, np.rint(x))
        assert x.max() > 1
    assert set(np.unique(dense(mdata["atac"]))) == {0.0, 1.0}
    np.testing.assert_array_equal(dense(mdata["label"]).sum(axis=1), 1)
    assert set(np.unique(dense(mdata["label"]))) == {0.0, 1.0}
    assert (dense(mdata["emb"]) < 0).any()
    assert all(mdata[name].X.dtype == np.float32 for name in ALL)


def test_negative_binomial_is_wider_than_poisson():
    """Pooled over features, the index of dispersion of cells of one profile tells them apart."""
    ratio = {}
    for likelihood in ("poisson", "nb"):
        mdata = simulate(
            2000, n_features={"m": 20}, likelihoods={"m": likelihood}, n_cell_types=1, seed=1
        )
        x = dense(mdata["m"])
        share = x / x.sum(axis=1, keepdims=True)
        ratio[likelihood] = np.median(share.var(axis=0) / share.mean(axis=0))
    assert ratio["nb"] > 1.2 * ratio["poisson"]


def test_counts_tell_the_latent_and_unreliable_ones_do_not():
    mdata = simulate(1200, n_features={"rna": 200}, reliability=0.5, seed=5)
    trust = mdata.obs["reliability_rna"].to_numpy()
    reliable = r2_of_latent(mdata, "rna", np.flatnonzero(trust == 1))
    ambient = r2_of_latent(mdata, "rna", np.flatnonzero(trust < 0.3))
    assert reliable > 0.8
    assert ambient < reliable - 0.3


def test_cell_types_separate_the_latent():
    mdata = simulate(400, n_cell_types=3, seed=1)
    z, types = mdata.obsm["z_true"], mdata.obs["cell_type"].to_numpy()
    within = np.mean([z[types == t].var(axis=0).mean() for t in np.unique(types)])
    assert within == pytest.approx(0.2, rel=0.15)


def test_reliability_share_and_range():
    mdata = simulate(2000, n_features={"a": 5, "b": 5}, reliability={"a": 0.8}, missing={"a": 0.2})
    trust = mdata.obs["reliability_a"]
    assert (trust == 1).sum() / trust.notna().sum() == pytest.approx(0.8, abs=0.04)
    assert trust[trust < 1].between(0, 0.7).all()
    assert (mdata.obs["reliability_b"] == 1).all()


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    missing=st.floats(0, 1, exclude_max=True),
    n_obs=st.integers(1, 40),
)
def test_presence_is_consistent_everywhere(seed, missing, n_obs):
    """Each cell has a modality; obsmap, rows, order and NaN reliability tell the same story."""
    sizes = {"a": 3, "b": 2, "c": 2}
    mdata = simulate(n_obs, n_features=sizes, missing=missing, seed=seed, n_batches=2)
    assert list(mdata.obs_names) == [f"cell_{i}" for i in range(n_obs)]
    total = np.zeros(n_obs, dtype=int)
    for name in sizes:
        rows = np.asarray(mdata.obsmap[name]).ravel()
        has = rows > 0
        total += has
        assert list(mdata.obs_names[has]) == list(mdata[name].obs_names[rows[has] - 1])
        np.testing.assert_array_equal(has, mdata.obs[f"reliability_{name}"].notna())
    assert (total >= 1).all()


def test_missing_rate_per_modality_and_whole_batches():
    sizes = {"rna": 5, "adt": 5}
    mdata = simulate(2000, n_features=sizes, missing={"adt": 0.4}, seed=1)
    assert mdata["rna"].n_obs == 2000
    assert mdata["adt"].n_obs / 2000 == pytest.approx(0.6, abs=0.04)
    mosaic = simulate(300, n_features=sizes, n_batches=3, missing={"adt": ["batch_1"]}, seed=1)
    of_adt = mosaic.obs.loc[mosaic["adt"].obs_names, "batch"]
    assert set(of_adt) == {"batch_0", "batch_2"}
    assert mosaic["rna"].n_obs == 300


def test_missing_does_not_change_the_values_of_the_others():
    full, holes = (simulate(60, missing=m, seed=9) for m in (0.0, {"adt": 0.5}))
    kept = holes["adt"].obs_names
    np.testing.assert_array_equal(dense(full["adt"][kept]), dense(holes["adt"]))


def test_panels_zero_what_a_batch_did_not_measure():
    mdata = simulate(
        200, n_features=SIZES, likelihoods=ALL, n_batches=3, panels=True, missing=0.2, seed=4
    )
    for name in set(ALL) - {"label"}:
        adata = mdata[name]
        panel = adata.var[[f"measured_batch_{i}" for i in range(3)]].to_numpy()
        assert panel.dtype == bool
        assert panel.any(axis=1).all()
        assert not panel.all()
        batch = mdata.obs.loc[adata.obs_names, "batch"].astype(str).to_numpy()
        for i in range(3):
            values = dense(adata)[batch == f"batch_{i}"]
            assert not values[:, ~panel[:, i]].any()
            assert values[:, panel[:, i]].any(axis=0).mean() > 0.8
    assert not mdata["label"].var.columns.size


def test_batches_differ_in_their_mean_profile():
    mdata = simulate(3000, n_features={"m": 10}, likelihoods={"m": "normal"}, n_batches=2, seed=3)
    x, z = dense(mdata["m"]), mdata.obsm["z_true"]
    residual = x - Ridge(1e-6).fit(z, x).predict(z)
    first = (mdata.obs["batch"] == "batch_0").to_numpy()
    gap = residual[first].mean(axis=0) - residual[~first].mean(axis=0)
    assert np.abs(gap).mean() > 0.15


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"n_obs": 0}, "n_obs must be a positive integer. Received 0"),
        ({"n_obs": True}, "n_obs must be a positive integer"),
        ({"n_latent": 1.5}, "n_latent must be a positive integer. Received 1.5"),
        ({"n_batches": 0}, "n_batches must be a positive integer"),
        ({"n_cell_types": -1}, "n_cell_types must be a positive integer"),
        ({"n_features": {}}, "n_features must be a mapping from modalities"),
        ({"n_features": ["rna"]}, "n_features must be a mapping from modalities"),
        ({"n_features": {"rna": 0}}, r"n_features\['rna'\] must be a positive integer"),
        ({"likelihoods": {"rna": "negbin"}}, "'negbin' of modality 'rna' cannot be simulated"),
        ({"likelihoods": {"rnaa": "nb"}}, "likelihoods names the modality 'rnaa'.*mean 'rna'"),
        ({"missing": {"prot": 0.1}}, "missing names the modality 'prot'"),
        ({"missing": 1.5}, r"missing\['rna'\] must be a number in \[0, 1\]. Received 1.5"),
        ({"missing": {"adt": "b9"}}, r"missing\['adt'\] must list batches ..batch_0"),
        ({"missing": np.nan}, r"missing\['rna'\] must be a number in"),
        ({"missing": {"adt": ["b9"]}}, r"missing\['adt'\] must list batches.*Received 'b9'"),
        ({"missing": 1.0}, "at least one modality. Received missing that leaves none in 'batch_0'"),
        ({"reliability": -0.1}, "reliability must be a number in"),
        ({"reliability": {"adt": 2}}, r"reliability\['adt'\] must be a number in"),
        ({"reliability": {"prot": 0.5}}, "reliability names the modality 'prot'"),
        ({"panels": "no"}, "panels must be True or False. Received 'no'"),
        ({"panels": True}, "several batches. Received n_batches=1"),
        ({"seed": -1}, "seed must be an integer from 0 to .* Received -1"),
    ],
)
def test_options_out_of_range_are_refused(options, match):
    with pytest.raises(ConfigError, match=match):
        simulate(**{"n_obs": 10, **options})


def test_numbers_of_any_width_and_one_batch_in_place_of_a_list():
    plain = simulate(
        20, n_features={"rna": 3, "adt": 2}, n_batches=2, missing={"adt": ["batch_1"]}, seed=4
    )
    wide = simulate(
        np.int8(20),
        n_features={"rna": np.uint8(3), "adt": np.array(2)},
        n_batches=np.int64(2),
        missing={"adt": "batch_1"},
        reliability=np.float32(1),
        seed=np.uint16(4),
    )
    for name, adata in plain.mod.items():
        np.testing.assert_array_equal(wide[name].X.toarray(), adata.X.toarray())
    assert wide.obs.equals(plain.obs)
