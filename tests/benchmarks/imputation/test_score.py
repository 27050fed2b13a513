import numpy as np

from benchmarks.imputation.scores import Prediction, score


def test_perfect_prediction_scores_one_and_has_no_coverage_without_pit():
    observed = np.random.default_rng(0).poisson(5, (50, 3))
    table = score(Prediction(log1p=np.log1p(observed)), observed, ["a", "b", "c"])
    np.testing.assert_allclose(table["pearson"], 1.0)
    assert table["coverage90"].isna().all()


def test_log1p_is_what_is_correlated():
    observed = np.array([[0], [10], [1000]])
    table = score(Prediction(log1p=observed), observed, ["a"])
    expected = np.corrcoef(observed[:, 0], np.log1p(observed[:, 0]))[0, 1]
    np.testing.assert_allclose(table["pearson"], expected)


def test_coverage_is_the_share_of_the_central_interval():
    pit = np.tile((np.arange(1000) + 0.5)[:, None] / 1000, (1, 2))
    # The second feature is over-confident: its PIT is drawn to the ends.
    pit[:, 1] = np.where(pit[:, 1] < 0.5, pit[:, 1] ** 3, 1 - (1 - pit[:, 1]) ** 3)
    observed = np.random.default_rng(0).poisson(5, (1000, 2))
    table = score(Prediction(log1p=np.log1p(observed), pit=pit), observed, ["flat", "sharp"])
    for level in (50, 80, 90, 95):
        assert abs(table.loc[0, f"coverage{level}"] - level / 100) < 0.002
        assert table.loc[1, f"coverage{level}"] < level / 100 - 0.05
