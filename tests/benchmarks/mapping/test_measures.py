import numpy as np
import pytest
from sklearn.metrics import f1_score, log_loss

from benchmarks.mapping import measures


def two_types(n=400):
    """Probabilities of two types, and true types drawn from them."""
    rng = np.random.default_rng(0)
    p = rng.uniform(size=n)
    return np.column_stack([p, 1 - p]), (rng.uniform(size=n) > p).astype(int)


def test_scores_are_those_of_scikit_learn():
    p, code = two_types()
    assert measures.log_score(p, code) == pytest.approx(log_loss(code, p))
    found = p.argmax(axis=1)
    assert measures.accuracy(p, code) == (found == code).mean()
    assert measures.macro_f1(p, code) == pytest.approx(f1_score(code, found, average="macro"))


def test_types_that_no_cell_has_do_not_count():
    p = np.array([[0.8, 0.1, 0.1], [0.1, 0.2, 0.7]])
    assert measures.macro_f1(p, np.array([0, 2])) == 1


def test_the_log_score_has_a_floor():
    p = np.array([[1.0, 0.0]])
    assert measures.log_score(p, np.array([1])) == pytest.approx(-np.log(1e-6))


def test_probabilities_that_are_right_as_often_as_they_say_have_no_calibration_error():
    top = np.repeat([0.5, 0.75], 40)
    right = np.append(np.arange(40) % 2 == 0, np.arange(40) % 4 != 0)
    assert measures.calibration_error(top, right, n_bins=2) == pytest.approx(0)
    assert measures.calibration_error(top, np.zeros(80), n_bins=2) == pytest.approx(0.625)


def test_bins_have_equally_many_cells():
    top = np.linspace(0.5, 1, 100)
    gaps = [abs(top[i : i + 10].mean() - 1) for i in range(0, 100, 10)]
    assert measures.calibration_error(top, np.ones(100)) == pytest.approx(np.mean(gaps))


def test_the_interval_holds_the_calibration_error_of_certain_answers():
    right = np.arange(200) % 5 != 0
    low, high = measures.calibration_interval(np.ones(200), right)
    assert low < measures.calibration_error(np.ones(200), right) < high
    assert high - low == pytest.approx(2 * 1.96 * np.sqrt(0.2 * 0.8 / 200), rel=0.15)
    assert measures.calibration_interval(np.ones(200), right) == (low, high)


def test_sets_are_counted():
    sets = np.array([[True, False], [True, True], [False, True]])
    assert measures.set_coverage(sets, np.array([0, 0, 0])) == pytest.approx(2 / 3)
    assert measures.set_size(sets) == pytest.approx(4 / 3)


def test_only_measured_protein_is_compared():
    counts = np.array([[1.0, np.nan], [5.0, np.nan], [9.0, np.nan]])
    imputed = np.column_stack([np.log1p(counts[:, 0]), [1, 2, 3]])
    assert measures.protein_correlation(imputed, counts) == pytest.approx(1)


def test_a_query_that_lies_among_the_reference_has_the_even_share():
    x = np.random.default_rng(0).normal(size=(400, 3))
    share, even = measures.reference_share(x[:300], x[300:])
    assert share == pytest.approx(even, abs=0.05)
    assert even == pytest.approx(300 / 399)
    assert measures.reference_share(x[:300], x[300:] + 30)[0] == 0
