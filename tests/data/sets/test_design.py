"""Simulated conditions and types that batches lack."""

import mudata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hzau_omics.data.sets.simulate import simulate
from hzau_omics.errors import ConfigError

SMALL = {"rna": 12, "adt": 5}
NESTED = {"batch_0": "well", "batch_1": "well", "batch_2": "ill"}


def values(adata):
    return adata.X.toarray() if sparse.issparse(adata.X) else np.asarray(adata.X)


def test_cells_without_the_new_options_are_those_of_earlier_releases():
    """Sums and a latent that were noted before these options existed."""
    plain = simulate(120)
    assert [int(values(plain[name]).sum()) for name in ("rna", "adt")] == [127798, 19143]
    noted = [0.2300055271, 1.4883068707, 0.9191103181, -0.0333238833, -2.5976580474]
    np.testing.assert_allclose(plain.obsm["z_true"][3], noted, rtol=1e-8)
    assert list(plain.obs) == ["cell_type", "batch", "reliability_rna", "reliability_adt"]
    assert not plain.uns
    mosaic = simulate(
        120, n_batches=2, missing={"adt": ["batch_1"]}, n_cell_types=7, n_latent=3, seed=2**40
    )
    assert [int(values(mosaic[name]).sum()) for name in ("rna", "adt")] == [125086, 8252]


def test_neutral_options_change_nothing():
    options = {"n_features": SMALL, "n_batches": 3, "missing": 0.3, "reliability": 0.6, "seed": 4}
    plain = simulate(80, **options)
    neutral = simulate(80, absent_types={}, batch_effect=0.3, condition_effect=5.0, **options)
    assert neutral.obs.equals(plain.obs)
    np.testing.assert_array_equal(neutral.obsm["z_true"], plain.obsm["z_true"])
    for name in SMALL:
        np.testing.assert_array_equal(values(neutral[name]), values(plain[name]))


def test_crossed_conditions_shift_the_latent_in_every_batch():
    options = {"n_features": SMALL, "n_batches": 2, "seed": 1}
    plain = simulate(600, **options)
    mdata = simulate(600, conditions=["well", "ill"], condition_effect=1.5, **options)
    counts = pd.crosstab(mdata.obs["batch"], mdata.obs["condition"])
    assert list(counts.columns) == ["well", "ill"]
    assert counts.to_numpy().min() > 120
    shift = mdata.uns["condition_shift"]
    assert np.linalg.norm(shift.loc["ill"]) == pytest.approx(1.5)
    assert not shift.loc["well"].any()
    moved = mdata.obsm["z_true"] - plain.obsm["z_true"]
    np.testing.assert_allclose(moved, shift.loc[mdata.obs["condition"].astype(str)], atol=1e-12)
    assert mdata.obs[["cell_type", "batch"]].equals(plain.obs[["cell_type", "batch"]])


def test_conditions_without_effect_leave_values_as_they_are():
    plain = simulate(60, n_features=SMALL, n_batches=2)
    mdata = simulate(60, n_features=SMALL, n_batches=2, conditions=3, condition_effect=0)
    assert list(mdata.obs["condition"].cat.categories) == [f"condition_{i}" for i in range(3)]
    for name in SMALL:
        np.testing.assert_array_equal(values(mdata[name]), values(plain[name]))


def test_confounded_conditions_are_those_of_their_batches():
    mdata = simulate(300, n_features=SMALL, n_batches=3, conditions=NESTED)
    pairs = mdata.obs[["batch", "condition"]].astype(str).drop_duplicates()
    assert dict(pairs.to_numpy().tolist()) == NESTED
    half = simulate(
        300, n_features=SMALL, n_batches=2,
        conditions={"batch_0": "well", "batch_1": ["well", "ill"]},
    )  # fmt: skip
    of_first = half.obs.loc[half.obs["batch"] == "batch_0", "condition"]
    assert set(of_first) == {"well"}
    assert set(half.obs["condition"]) == {"well", "ill"}


def test_absent_types_are_replaced_in_their_batch_alone():
    options = {"n_features": SMALL, "n_batches": 2, "seed": 3}
    plain = simulate(400, **options)
    mdata = simulate(400, absent_types={"batch_1": ["type_2", "type_3"]}, **options)
    counts = pd.crosstab(mdata.obs["batch"], mdata.obs["cell_type"])
    assert (counts > 0).to_numpy().tolist() == mdata.uns["types_held"].to_numpy().tolist()
    assert (counts > 0).loc["batch_1"].tolist() == [True, True, False, False]
    assert counts.loc["batch_1", ["type_0", "type_1"]].min() > 70
    kept = (plain.obs["batch"] == "batch_0") | plain.obs["cell_type"].isin(["type_0", "type_1"])
    assert (mdata.obs.loc[kept, "cell_type"] == plain.obs.loc[kept, "cell_type"]).all()
    np.testing.assert_array_equal(mdata.obsm["z_true"][kept], plain.obsm["z_true"][kept])


def test_batch_effect_is_the_scatter_of_shifts():
    shift = {}
    for effect in (0.0, 0.3, 1.2):
        mdata = simulate(
            3000, n_features={"m": 40}, likelihoods={"m": "normal"}, n_batches=2, seed=3,
            batch_effect=effect,
        )  # fmt: skip
        first = (mdata.obs["batch"] == "batch_0").to_numpy()
        z = np.column_stack([np.ones(3000), mdata.obsm["z_true"], first])
        shift[effect] = np.linalg.lstsq(z, values(mdata["m"]), rcond=None)[0][-1]
    assert np.abs(shift[0.0]).max() < 0.15
    assert shift[1.2].std() == pytest.approx(1.2 * np.sqrt(2), rel=0.3)
    np.testing.assert_allclose(shift[1.2], 4 * shift[0.3], atol=0.3)


def test_the_truth_can_be_written(tmp_path):
    mdata = simulate(
        60, n_features=SMALL, n_batches=3, conditions=NESTED, absent_types={"batch_2": "type_0"}
    )
    mdata.write_h5mu(tmp_path / "cells.h5mu")
    read = mudata.read_h5mu(tmp_path / "cells.h5mu")
    for key in ("condition_shift", "types_held"):
        assert read.uns[key].to_numpy().tolist() == mdata.uns[key].to_numpy().tolist()
    assert (read.obs["condition"] == mdata.obs["condition"]).all()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"batch_effect": -1}, "batch_effect must be a number of at least 0. Received -1"),
        ({"condition_effect": "big"}, "condition_effect must be a number of at least 0"),
        ({"conditions": 1}, "conditions must be an integer of at least 2.*Leave it out"),
        ({"conditions": ["well"]}, "conditions must be a number of at least 2, several names"),
        ({"conditions": "well"}, "conditions must be a number of at least 2, several names"),
        ({"conditions": ["well", "well"]}, "conditions must hold each value once"),
        ({"conditions": {"batch_0": "well"}}, "Received none for 'batch_1': add them, or give"),
        (
            {"conditions": {"batch_0": "well", "batch_1": "well"}},
            "mapping from batches to several names",
        ),
        (
            {"conditions": {"batch_0": "well", "batch1": "ill"}},
            "conditions must name batches .*Received 'batch1'.*Did you mean 'batch_1'",
        ),
        ({"conditions": {"batch_0": "well", "batch_1": 3}}, r"conditions\['batch_1'\] must be a"),
        ({"absent_types": ["type_0"]}, "absent_types must be a mapping from batches to types"),
        ({"absent_types": {"batch_7": "type_0"}}, "absent_types must name batches.*'batch_7'"),
        (
            {"absent_types": {"batch_0": "type_9"}},
            r"absent_types\['batch_0'\] must list types .*Received 'type_9': correct the name",
        ),
        (
            {"absent_types": {"batch_0": ["type_0", "type_1", "type_2", "type_3"]}},
            "Each batch needs at least one type. Received absent_types that leaves none to",
        ),
        (
            {"absent_types": {"batch_0": "type_0", "batch_1": "type_0"}},
            "Each type needs at least one batch.*leaves none to 'type_0': take it out",
        ),
    ],
)
def test_designs_that_cannot_be_are_refused(options, match):
    with pytest.raises(ConfigError, match=match):
        simulate(**{"n_obs": 10, "n_batches": 2, **options})
