import numpy as np
import pytest
from hypothesis import given, strategies as st

from hzau_omics.data.stores.splits import split_cells
from hzau_omics.errors import ConfigError


@given(
    n_cells=st.integers(1, 200) | st.integers(400, 3000),
    train=st.floats(0.05, 1),
    shares=st.tuples(st.none() | st.floats(0, 0.5), st.none() | st.floats(0, 0.5)),
    seed=st.integers(0, 9),
    data=st.data(),
)
def test_splits_are_disjoint_complete_and_repeatable(n_cells, train, shares, seed, data):
    validation, calibration = (None if share is None else share * (1 - train) for share in shares)
    strata = data.draw(st.none() | st.just(np.random.default_rng(seed).integers(0, 4, n_cells)))
    options = {
        "train_size": train,
        "validation_size": validation,
        "calibration_size": calibration,
        "seed": seed,
        "stratify": strata,
    }
    split = split_cells(n_cells, **options)
    assert sorted(np.concatenate(split)) == list(range(n_cells))
    assert len(split.train) == int(np.ceil(n_cells * train - 1e-9))
    if validation is None:
        assert len(split.test) == 0
    else:
        assert len(split.validation) <= n_cells * validation + 1e-6
    if calibration is not None:
        assert len(split.calibration) <= n_cells * calibration + 1e-6
    for part, again in zip(split, split_cells(n_cells, **options), strict=True):
        np.testing.assert_array_equal(part, again)
        assert (np.diff(part) > 0).all()


@given(
    n_cells=st.integers(1, 3000),
    train=st.floats(0.05, 1),
    share=st.none() | st.floats(0, 1),
    seed=st.integers(0, 9),
)
def test_by_default_half_of_many_validation_cells_are_for_calibrations(n_cells, train, share, seed):
    options = {
        "train_size": train,
        "validation_size": None if share is None else share * (1 - train),
        "seed": seed,
    }
    together = split_cells(n_cells, **options, calibration_size=0)
    apart = split_cells(n_cells, **options)
    np.testing.assert_array_equal(apart.train, together.train)
    np.testing.assert_array_equal(apart.test, together.test)
    both = np.union1d(apart.validation, apart.calibration)
    np.testing.assert_array_equal(both, together.validation)
    if len(together.validation) < 400:
        assert len(apart.calibration) == 0
        assert apart.for_calibrations is apart.validation
    else:
        assert len(apart.calibration) == len(together.validation) // 2 >= 200
        assert apart.for_calibrations is apart.calibration


@given(
    n_cells=st.integers(1, 1000),
    calibration=st.floats(0, 0.5),
    seed=st.integers(0, 9),
)
def test_training_cells_do_not_depend_on_the_calibration_cells(n_cells, calibration, seed):
    options = {"train_size": 0.5, "seed": seed}
    split = split_cells(n_cells, **options, validation_size=0.0, calibration_size=calibration)
    np.testing.assert_array_equal(split.train, split_cells(n_cells, **options).train)
    assert len(split.calibration) == int(np.floor(n_cells * calibration + 1e-9))


def test_calibration_cells_leave_some_for_validation():
    with pytest.raises(ConfigError, match=r"calibration_size=0.1 and train_size=0.9"):
        split_cells(100, train_size=0.9, calibration_size=0.1)
    assert len(split_cells(100, train_size=0.8, calibration_size=0.1).validation) == 10
    assert len(split_cells(100, validation_size=0.0, calibration_size=0.1).validation) == 0


def test_the_seed_matters_and_global_state_does_not():
    np.random.seed(0)  # noqa: NPY002
    first = split_cells(100, seed=1).train
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    np.testing.assert_array_equal(first, split_cells(100, seed=1).train)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert not np.array_equal(first, split_cells(100, seed=2).train)


@given(
    pattern=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=8, max_size=60),
    seed=st.integers(0, 5),
)
def test_every_pattern_of_two_cells_is_trained_on(pattern, seed):
    present = np.array(pattern)
    train = set(split_cells(len(present), train_size=0.5, seed=seed, stratify=present).train)
    for row in {tuple(row) for row in pattern}:
        cells = [i for i, other in enumerate(pattern) if other == row]
        if len(cells) >= 2:
            assert train & set(cells)


def test_shares_hold_within_strata():
    strata = np.array(["a"] * 1000 + ["b"] * 100 + ["c"] * 10)
    shares = {"train_size": 0.6, "validation_size": 0.1, "calibration_size": 0.2}
    split = split_cells(1110, **shares, seed=3, stratify=strata)
    for part, share in zip(split, (*shares.values(), 0.1), strict=True):
        for name in "abc":
            size = (strata == name).sum()
            assert abs((strata[part] == name).sum() - share * size) <= 2


def test_both_halves_keep_the_strata():
    strata = np.repeat([0, 1, 2], [8000, 800, 80])
    split = split_cells(8880, seed=1, stratify=strata)
    for part in (split.validation, split.calibration):
        assert (np.abs(np.bincount(strata[part]) - [400, 40, 4]) <= 2).all()


@pytest.mark.parametrize(
    ("n_cells", "options", "message"),
    [
        (0, {}, "n_cells must be a positive integer. Received 0"),
        (5, {"train_size": 0}, r"train_size must be a number in \(0, 1\]. Received 0"),
        (5, {"train_size": "0.9"}, r"train_size must be .* Received '0.9'. Write 0.9\."),
        (5, {"seed": -1}, "seed must be an integer from 0"),
        (5, {"train_size": 1.1}, "train_size must be a number in"),
        (
            5,
            {"train_size": 0.9, "validation_size": 0.2},
            "at most 1 together. Received train_size=0.9, validation_size=0.2. Make one",
        ),
        (
            5,
            {"train_size": 0.8, "validation_size": 0.1, "calibration_size": 0.2},
            "validation_size=0.1, calibration_size=0.2",
        ),
        (5, {"calibration_size": 1}, r"calibration_size must be a number in \[0, 1\)\. Received 1"),
        (5, {"validation_size": -0.1}, r"validation_size must be a number in \[0, 1\]"),
        (5, {"stratify": [1, 2]}, r"one entry per cell \(5\)\. Received shape \(2,\)"),
        (5, {"stratify": "a"}, "one entry per cell"),
    ],
)
def test_wrong_options_are_refused(n_cells, options, message):
    with pytest.raises(ConfigError, match=message):
        split_cells(n_cells, **options)


@pytest.mark.parametrize("width", [np.float32, np.float16, np.float64, np.array])
def test_shares_and_numbers_of_any_width_split_alike(width):
    plain = split_cells(1000, train_size=0.8, validation_size=0.1, seed=3)
    wide = split_cells(
        np.int16(1000), train_size=width(0.8), validation_size=width(0.1), seed=np.uint8(3)
    )
    for one, other in zip(plain, wide, strict=True):
        np.testing.assert_array_equal(one, other)
