"""Coherence: 1 for real samples, chance for shuffled ones."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier

from hzau_omics.metrics import coherence


@pytest.fixture(scope="module")
def real():
    rng = np.random.default_rng(0)
    labels = np.repeat(list("abcd"), 100)
    centres = rng.gamma(2, 5, (4, 20))
    return rng.poisson(np.repeat(centres, 100, axis=0)).astype(float), labels


def test_real_samples_are_coherent_and_shuffled_ones_are_not(real):
    x, labels = real
    found = coherence(x[::3], labels[::3], x, labels)
    assert found.generated > 0.98
    assert found.real > 0.95
    turned = np.roll(labels, 100)
    assert coherence(x, turned, x, labels).generated < 0.02


def test_the_share_is_that_of_the_classifier_s_hits(real):
    x, labels = real
    wanted = labels[::10].copy()
    wanted[:10] = "d"
    nearest = KNeighborsClassifier(1)
    assert coherence(x[::10], wanted, x, labels, classifier=nearest).generated == 0.75
    assert not hasattr(nearest, "classes_")


def test_sparse_samples_give_the_same(real):
    x, labels = real
    found = coherence(sparse.csr_matrix(x), labels, sparse.csr_matrix(x), labels, seed=2)
    expected = coherence(x, labels, x, labels, seed=2)
    np.testing.assert_allclose(found, expected, atol=0.01)


def test_bad_input_is_named(real):
    x, labels = real
    with pytest.raises(
        ValueError,
        match=r"must have a label.*Received 5 samples and 4 labels",
    ):
        coherence(x[:5], labels[:4], x, labels)
    with pytest.raises(ValueError, match=r"Received others: \['z'\]"):
        coherence(x[:1], ["z"], x, labels)
