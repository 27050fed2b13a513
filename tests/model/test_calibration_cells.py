"""Which cells calibrations see."""

import numpy as np
import pytest
import torch

import hzau_omics as ho
from hzau_omics.model import HZAUVAE

APART = {"train_size": 0.4, "validation_size": 0.3, "calibration_size": 0.3, "max_epochs": 1}


@pytest.fixture
def cells():
    return ho.data.simulate(n_obs=240, n_features={"rna": 12, "adt": 6}, seed=2)


def with_other_values(cells, rows):
    """Return a copy in which the cells of these rows have changed places."""
    changed = cells.copy()
    for one in changed.mod.values():
        values = one.X.toarray() if hasattr(one.X, "toarray") else np.array(one.X)
        values[rows] = np.random.default_rng(0).permutation(values[rows]) * 3
        one.X = values
    return changed


def fitted(model):
    """Return everything that training sets."""
    return model.module.state_dict() | {
        "intervals": torch.tensor(list(model.calibration_.values())),
        "neighbours": torch.tensor([s.share for s in model.neighbours_]),
    }


def test_calibrations_do_not_see_validation_cells(cells, fit):
    model = fit(cells.copy(), **APART)
    other = fit(with_other_values(cells, model.validation_indices_), **APART)
    assert (
        model.history["validation_loss"].iloc[0, 0] != other.history["validation_loss"].iloc[0, 0]
    )
    one, two = fitted(model), fitted(other)
    assert [name for name, value in one.items() if not torch.equal(value, two[name])] == []


@pytest.mark.parametrize(
    ("part", "shares"),
    [
        ("calibration", APART),
        ("validation", {**APART, "calibration_size": 0}),
        ("validation", {**APART, "calibration_size": None}),
    ],
)
def test_calibrations_see(cells, fit, part, shares):
    model = fit(cells.copy(), **shares)
    other = fit(with_other_values(cells, getattr(model, f"{part}_indices_")), **shares)
    one, two = fitted(model), fitted(other)
    changed = [name for name, value in one.items() if not torch.equal(value, two[name])]
    assert "intervals" in changed
    assert any(name.startswith("reliability.") for name in changed)


def test_the_default_sets_half_of_many_held_out_cells_aside(quick, tmp_path):
    mdata = ho.data.simulate(n_obs=420, n_features={"rna": 8, "adt": 4}, seed=0)
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model = HZAUVAE(mdata, n_latent=3, n_hidden=8)
    model.train(**{**quick, "max_epochs": 1}, train_size=0.04)
    parts = model.train_indices_, model.validation_indices_, model.calibration_indices_
    assert [len(part) for part in parts] == [17, 202, 201]
    names = mdata.obs_names[model.calibration_indices_]
    model.save(tmp_path / "model")
    order = np.random.default_rng(0).permutation(420)
    loaded = HZAUVAE.load(tmp_path / "model", mdata[order].copy())
    assert set(loaded.adata.obs_names[loaded.calibration_indices_]) == set(names)
    loaded.train(**{**quick, "max_epochs": 1}, calibration_size=0)
    assert len(loaded.calibration_indices_) == 201


def test_positions_that_are_set_by_hand_may_leave_calibration_cells_out(cells, quick):
    HZAUVAE.setup_mudata(cells, {"rna": "nb", "adt": "nb"})
    model = HZAUVAE(cells, n_latent=3, n_hidden=8)
    model.train_indices_, model.validation_indices_ = np.arange(200), np.arange(200, 240)
    model.test_indices_ = np.arange(0)
    model.train(**{**quick, "max_epochs": 1})
    assert len(model.calibration_indices_) == 0
    np.testing.assert_array_equal(model.validation_indices_, np.arange(200, 240))
