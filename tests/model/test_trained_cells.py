import numpy as np
import pandas as pd
import pytest
from hypothesis import given, strategies as st

from hzau_omics.data import split_cells
from hzau_omics.data.changes.identity import CellIdentity
from hzau_omics.errors import HzauWarning
from hzau_omics.model.trained_cells import TrainedCells

NAMES = [f"cell_{i}" for i in range(20)]
VALUES = np.arange(20, dtype=np.uint64) + np.uint64(2**63)
SPLIT = split_cells(20, train_size=0.5, validation_size=0.2, calibration_size=0.2, seed=0)


def identity(where, values=VALUES):
    return CellIdentity.of(pd.Index([NAMES[i] for i in where]), [values[list(where)]])


TRAINED = TrainedCells(identity(range(20)), SPLIT)


@given(order=st.permutations(range(20)))
def test_every_cell_stays_on_its_side_of_the_split(order):
    found = TRAINED.split_of(identity(order))
    for part, former in zip(found, SPLIT, strict=True):
        assert sorted(order[i] for i in part) == former.tolist()
        assert (np.diff(part) > 0).all()


def test_cells_that_remain_keep_their_side_with_a_warning_that_counts():
    with pytest.warns(HzauWarning, match="^5 of the 20 cells that the model was trained on"):
        found = TRAINED.split_of(identity(range(5, 20)))
    for part, former in zip(found, SPLIT, strict=True):
        assert (part + 5).tolist() == [i for i in former if i >= 5]


@pytest.mark.parametrize("n_new", [1, 20])
def test_new_cells_leave_no_split(n_new):
    others = VALUES.copy()
    others[:n_new] += np.uint64(1)
    with pytest.warns(HzauWarning, match=rf"^{n_new} of these 20 cells are not among those"):
        assert TRAINED.split_of(identity(range(20), others)) is None


@pytest.mark.parametrize("values", [VALUES, None])
def test_what_is_saved_comes_back(values):
    known = CellIdentity.of(pd.Index(NAMES), None if values is None else [values])
    found = TrainedCells.from_tensors(TrainedCells(known, SPLIT).to_tensors())
    assert found is not None
    np.testing.assert_array_equal(found.identity.names, known.names)
    if values is None:
        assert found.identity.values is None
    else:
        np.testing.assert_array_equal(found.identity.values, known.values)
    for part, former in zip(found.split, SPLIT, strict=True):
        np.testing.assert_array_equal(part, former)


def test_models_of_earlier_versions_have_no_calibration_cells():
    tensors = TRAINED.to_tensors()
    del tensors["calibration"]
    found = TrainedCells.from_tensors(tensors)
    assert found is not None
    assert len(found.split.calibration) == 0
    np.testing.assert_array_equal(found.split.for_calibrations, SPLIT.validation)


def test_before_training_there_is_nothing():
    assert TrainedCells.from_tensors({}) is None
