"""k-NN label accuracy against a plain implementation and on cases with a known answer."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.metrics import cross_validated_knn_accuracy, knn_label_accuracy


def two_clouds(n: int, distance: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.repeat(["B cell", "T cell"], n)
    embedding = rng.normal(size=(2 * n, 3))
    embedding[n:, 0] += distance
    return embedding, labels


def test_equals_a_plain_majority_vote() -> None:
    train_x, train_y = two_clouds(60, 1.5)
    test_x, test_y = two_clouds(40, 1.5, seed=1)
    hits = []
    for point, label in zip(test_x, test_y, strict=True):
        nearest = np.argsort(((train_x - point) ** 2).sum(axis=1))[:5]
        hits.append(Counter(train_y[nearest]).most_common(1)[0][0] == label)
    assert knn_label_accuracy(train_x, train_y, test_x, test_y, k=5) == np.mean(hits)
    assert 0.6 < np.mean(hits) < 0.95


def test_invariant_to_shift_scale_rotation_and_row_order() -> None:
    train_x, train_y = two_clouds(50, 1.0)
    test_x, test_y = two_clouds(50, 1.0, seed=1)
    rotation = np.linalg.qr(np.random.default_rng(2).normal(size=(3, 3)))[0]
    order = np.random.default_rng(3).permutation(100)
    moved = knn_label_accuracy(
        (7 * train_x @ rotation + 3)[order], train_y[order], 7 * test_x @ rotation + 3, test_y
    )
    assert moved == pytest.approx(knn_label_accuracy(train_x, train_y, test_x, test_y))


def test_cross_validation_separates_structure_from_noise() -> None:
    embedding, labels = two_clouds(100, 8.0)
    assert cross_validated_knn_accuracy(embedding, pd.Categorical(labels)) == 1.0
    shuffled = np.random.default_rng(4).permutation(labels)
    assert cross_validated_knn_accuracy(embedding, shuffled) < 0.65


def test_cross_validation_never_lets_a_cell_vote_for_itself() -> None:
    embedding = np.arange(30.0)[:, None] * 10
    labels = ["odd", "even"] * 15
    assert cross_validated_knn_accuracy(embedding, labels, k=1, n_splits=30) == 0.0


def test_cross_validation_depends_on_the_seed_only() -> None:
    embedding, labels = two_clouds(60, 1.0)
    scores = [cross_validated_knn_accuracy(embedding, labels, seed=s) for s in (0, 0, 1, 2, 3)]
    assert scores[0] == scores[1]
    assert len(set(scores)) > 1


@pytest.mark.parametrize("k", [0, 5])
def test_refuses_k_out_of_range(k: int) -> None:
    with pytest.raises(ConfigError, match=rf"k must be an integer from 1 to 4. Received {k}"):
        knn_label_accuracy(np.zeros((4, 1)), list("abab"), np.zeros((1, 1)), ["a"], k=k)


def test_refuses_more_folds_than_cells() -> None:
    with pytest.raises(ConfigError, match=r"n_splits must be an integer from 2 to 3. Received 5"):
        cross_validated_knn_accuracy(np.zeros((3, 1)), list("aab"))


@pytest.mark.parametrize(
    ("embedding", "labels", "message"),
    [
        pytest.param(np.zeros((3, 1)), ["a"], "embedding and labels .* 3 and 1 rows", id="length"),
        pytest.param([[0.0], [np.nan]], ["a", "b"], "embedding must be known.*row 1", id="nan"),
        pytest.param(np.zeros((2, 1)), ["a", None], "labels must be known.*row 1", id="none"),
        pytest.param(np.zeros((2, 1)), ["a", np.nan], "labels must be known.*row 1", id="na"),
        pytest.param(np.zeros((0, 1)), [], "at least one cell", id="empty"),
    ],
)
def test_refuses_missing_or_unequal_input(embedding: object, labels: list, message: str) -> None:
    with pytest.raises(DataContractError, match=message):
        cross_validated_knn_accuracy(embedding, labels)


def test_refuses_embeddings_of_different_width() -> None:
    with pytest.raises(DataContractError, match=r"same dimensions. Received 2 and 3"):
        knn_label_accuracy(np.zeros((2, 2)), ["a", "b"], np.zeros((1, 3)), ["a"], k=1)
