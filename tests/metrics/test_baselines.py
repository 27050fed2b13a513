"""Imputation baselines against scikit-learn pipelines written out, and on real data."""

import os
from collections.abc import Callable
from pathlib import Path

import mudata
import numpy as np
import pytest
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsRegressor

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.metrics import (
    group_mean_imputation,
    knn_imputation,
    mean_feature_pearson,
    ridge_imputation,
)

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def split() -> Split:
    """Counts of 300 cells driven by three factors: x train, y train, x test, y test."""
    rng = np.random.default_rng(0)
    factors = rng.gamma(1.0, size=(300, 3))
    x = rng.poisson(factors @ rng.gamma(0.5, size=(3, 60)))
    y = rng.poisson(20 * factors @ rng.gamma(0.5, size=(3, 5)))
    return x[:240], y[:240], x[240:], y[240:]


def reference_scores(train: np.ndarray, test: np.ndarray, n_pcs: int) -> list[np.ndarray]:
    target = np.median(train.sum(axis=1))
    logs = [
        np.log1p(x / np.maximum(x.sum(axis=1, keepdims=True), 1) * target) for x in (train, test)
    ]
    pca = PCA(n_pcs, svd_solver="full").fit(logs[0])
    return [pca.transform(x) for x in logs]


def test_knn_equals_the_pipeline_written_out(split: Split) -> None:
    train_x, train_y, test_x, _ = split
    train, test = reference_scores(train_x, test_x, 10)
    expected = KNeighborsRegressor(7).fit(train, np.log1p(train_y)).predict(test)
    predicted = knn_imputation(train_x, train_y, test_x, k=7, n_pcs=10)
    np.testing.assert_allclose(predicted, expected, atol=1e-10)


def test_ridge_without_penalty_equals_least_squares(split: Split) -> None:
    train_x, train_y, test_x, _ = split
    train, test = reference_scores(train_x, test_x, 10)
    expected = LinearRegression().fit(train, np.log1p(train_y)).predict(test)
    predicted = ridge_imputation(train_x, train_y, test_x, alpha=0.0, n_pcs=10)
    np.testing.assert_allclose(predicted, expected, atol=1e-8)


def test_ridge_with_a_huge_penalty_predicts_the_training_mean(split: Split) -> None:
    train_x, train_y, test_x, _ = split
    predicted = ridge_imputation(train_x, train_y, test_x, alpha=1e12)
    expected = np.tile(np.log1p(train_y).mean(axis=0), (len(test_x), 1))
    np.testing.assert_allclose(predicted, expected, atol=1e-6)


@pytest.mark.parametrize("impute", [knn_imputation, ridge_imputation])
class TestBoth:
    def test_finds_the_signal(self, impute: Callable, split: Split) -> None:
        predicted = impute(*split[:3])
        assert mean_feature_pearson(predicted, np.log1p(split[3])) > 0.6

    def test_sparse_equals_dense_and_repeats(self, impute: Callable, split: Split) -> None:
        dense = impute(*split[:3])
        np.testing.assert_array_equal(impute(*split[:3]), dense)
        from_sparse = impute(*(sparse.csr_matrix(x.astype(float)) for x in split[:3]))
        np.testing.assert_allclose(from_sparse, dense, atol=1e-8)

    def test_depth_of_a_test_cell_does_not_matter(self, impute: Callable, split: Split) -> None:
        np.testing.assert_allclose(impute(*split[:2], split[2] * 10), impute(*split[:3]), atol=1e-8)

    def test_a_test_cell_does_not_depend_on_the_others(
        self, impute: Callable, split: Split
    ) -> None:
        alone = impute(*split[:2], split[2][:1])
        np.testing.assert_allclose(alone, impute(*split[:3])[:1], atol=1e-8)

    def test_empty_cells_get_finite_predictions(self, impute: Callable, split: Split) -> None:
        train_x = split[0].copy()
        train_x[0] = 0
        assert np.isfinite(impute(train_x, split[1], np.zeros((2, 60)))).all()

    def test_refuses_other_features(self, impute: Callable, split: Split) -> None:
        with pytest.raises(DataContractError, match=r"same features. Received 60 and 59"):
            impute(*split[:2], split[2][:, 1:])

    def test_refuses_other_cells(self, impute: Callable, split: Split) -> None:
        with pytest.raises(DataContractError, match=r"same cells. Received 240 and 239 rows"):
            impute(split[0], split[1][1:], split[2])

    @pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
    @pytest.mark.parametrize("position", [0, 1, 2])
    def test_refuses_what_is_no_count(
        self, impute: Callable, split: Split, bad: float, position: int
    ) -> None:
        matrices = [x.astype(float).copy() for x in split[:3]]
        matrices[position][0, 0] = bad
        name = ("train_x_counts", "train_y_counts", "test_x_counts")[position]
        with pytest.raises(DataContractError, match=f"{name} must hold counts.*Received 1 value"):
            impute(*matrices)

    def test_refuses_no_components(self, impute: Callable, split: Split) -> None:
        with pytest.raises(ConfigError, match=r"n_pcs must be a positive integer. Received 0"):
            impute(*split[:3], n_pcs=0)


def test_several_k_choose_one_of_them_without_the_test_cells(split: Split) -> None:
    train_x, train_y, test_x, _ = split
    singles = {k: knn_imputation(train_x, train_y, test_x, k=k) for k in (1, 10, 150)}
    chosen = knn_imputation(train_x, train_y, test_x, k=tuple(singles))
    # one neighbour is noise and 150 of 240 are nearly the mean: only 10 can win
    np.testing.assert_array_equal(chosen, singles[10])


def test_candidates_too_large_for_the_folds_are_left_out() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.poisson(3, size=(20, 6)), rng.poisson(3, size=(20, 2))
    np.testing.assert_array_equal(knn_imputation(x, y, x, k=(3, 18)), knn_imputation(x, y, x, k=3))


@pytest.mark.parametrize("k", [0, 241, (15, 241), (0, 15), ()])
def test_refuses_k_out_of_range(k: object, split: Split) -> None:
    with pytest.raises(
        ConfigError, match=r"k must be (an integer from 1 to 240|one or more numbers)"
    ):
        knn_imputation(*split[:3], k=k)


def test_ridge_refuses_a_negative_penalty(split: Split) -> None:
    with pytest.raises(ConfigError, match=r"alpha must be a number of at least 0. Received -1"):
        ridge_imputation(*split[:3], alpha=-1.0)


def test_group_mean_is_the_mean_of_logs_and_missing_labels_are_a_group() -> None:
    counts = np.array([[0, 10], [2, 20], [7, 0], [9, 1]])
    predicted = group_mean_imputation(counts, ["T", "T", None, "B"], [np.nan, "T", "new", "B"])
    logs = np.log1p(counts)
    expected = [logs[2], logs[:2].mean(axis=0), logs.mean(axis=0), logs[3]]
    np.testing.assert_allclose(predicted, expected)


def test_group_mean_refuses_labels_of_other_cells() -> None:
    with pytest.raises(DataContractError, match=r"train_y_counts and train_labels .* 2 and 1 rows"):
        group_mean_imputation(np.ones((2, 2)), ["T"], ["T"])


def test_known_scores_on_pbmc10k() -> None:
    """RNA to protein on the held-out fifth (seed 0): the bar that the models have to clear."""
    path = Path(os.environ.get("HZAU_OMICS_DATA", "")) / "citeseq_pbmc10k_totalvi.h5mu"
    if not os.environ.get("HZAU_OMICS_DATA") or not path.exists():
        pytest.skip("HZAU_OMICS_DATA does not hold citeseq_pbmc10k_totalvi.h5mu")
    rna, protein = (mudata.read_h5ad(path, mod=name).X for name in ("rna", "prot"))
    order = np.random.default_rng(0).permutation(rna.shape[0])
    test, train = order[: len(order) // 5], order[len(order) // 5 :]
    observed = np.log1p(protein[test].toarray())
    scores = [
        mean_feature_pearson(impute(rna[train], protein[train], rna[test]), observed)
        for impute in (knn_imputation, ridge_imputation)
    ]
    assert scores == pytest.approx([0.805, 0.789], abs=0.003)


@pytest.mark.parametrize("k", [np.int16(5), np.array([5]), [5, 5], (np.uint8(5),)], ids=repr)
def test_numbers_of_neighbours_of_any_width(k: object, split: Split) -> None:
    expected = knn_imputation(*split[:3], k=5, n_pcs=10)
    np.testing.assert_array_equal(knn_imputation(*split[:3], k=k, n_pcs=np.int64(10)), expected)
