import numpy as np

from benchmarks.common.data import make_split
from benchmarks.imputation.methods import METHODS, RunOptions
from benchmarks.imputation.mlp import MLPConfig, mlp_imputation
from benchmarks.imputation.scores import score


def test_network_learns_what_the_labels_cannot_tell(paired):
    split = make_split(paired)
    config = MLPConfig(n_hidden=32, batch_size=32, max_epochs=60, patience=30)
    predicted, record = mlp_imputation(split.train_x, split.train_y, split.test_x, config=config)
    # protein1 follows a programme that varies within each cell type.
    observed = np.log1p(split.test_y[:, 1])
    of_labels = METHODS["group-mean"](split, 0, RunOptions())["group-mean"].log1p[:, 1]
    assert np.corrcoef(predicted[:, 1], observed)[0, 1] > 0.7
    assert np.corrcoef(of_labels, observed)[0, 1] < 0.5
    assert record["best_epoch"] <= record["epochs"] <= 60


def test_same_seed_same_prediction(paired):
    split = make_split(paired)
    config = MLPConfig(n_hidden=8, max_epochs=2)
    first, again, other = (
        mlp_imputation(split.train_x, split.train_y, split.test_x, seed=seed, config=config)[0]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_validation_cells_and_not_the_held_out_ones_stop_the_training(paired):
    split = make_split(paired)
    config = MLPConfig(n_hidden=8, max_epochs=3)
    one, record = mlp_imputation(split.train_x, split.train_y, split.test_x, config=config)
    half, record_half = mlp_imputation(
        split.train_x, split.train_y, split.test_x[:12], config=config
    )
    np.testing.assert_allclose(one[:12], half, rtol=1e-5, atol=1e-5)
    assert record == record_half


def test_baselines_are_scored_on_the_same_cells(paired):
    split = make_split(paired)
    for name in ("group-mean", "ridge", "knn"):
        log1p = METHODS[name](split, 0, RunOptions())[name].log1p
        table = score(METHODS[name](split, 0, RunOptions())[name], split.test_y, split.features)
        assert log1p.shape == split.test_y.shape
        assert table["pearson"].iloc[[0, 2]].min() > 0.9
