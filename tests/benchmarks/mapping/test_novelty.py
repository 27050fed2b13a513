import numpy as np
import pandas as pd
import pytest

from benchmarks.mapping import novelty
from benchmarks.mapping.novelty import (
    NoveltyRun,
    discoveries,
    largest_types,
    measure,
    separation,
    split,
    summary,
)


def test_the_largest_types_of_enough_cells_are_left_out():
    labels = np.repeat(["a", "b", "c", "", "d"], [40, 60, 29, 90, 30])
    assert largest_types(labels) == ["b", "a", "d"]
    assert largest_types(labels, 1) == ["b"]


def test_the_missing_type_is_asked_about_and_not_learned():
    labels = np.repeat(["a", "b", ""], [50, 100, 50])
    learned, asked = split(labels, "a", 0)
    assert not (learned & asked).any()
    assert asked[:50].all()
    assert not learned[:50].any()
    assert 0 < asked[50:150].sum() < 40
    assert not asked[150:].any()
    assert learned[150:].sum() > 30


def test_separation_is_against_all_and_against_the_nearest_type():
    score = np.array([3.0, 4.0, 1.0, 2.0, 5.0])
    novel = np.array([True, True, False, False, False])
    found = separation(score, novel, np.array([0, 0, 0, 0, 1], dtype=bool))
    assert found == {"AUROC": pytest.approx(4 / 6), "AUROC, nearest type": 0}
    assert np.isnan(separation(score, novel, np.zeros(5, dtype=bool))["AUROC, nearest type"])


def test_a_tenth_of_each_mixture_is_novel():
    novel, seen = np.arange(200) < 50, []

    def q_values(rows):
        seen.append(novel[rows].mean())
        # All novel cells are found, and with them every tenth of the others.
        return np.where(novel[rows] | (rows % 10 == 0), 0.07, 0.5)

    draws = list(discoveries(novel, q_values, 0))
    assert len(draws) == novelty.N_DRAWS
    np.testing.assert_allclose(seen, 0.1, atol=0.01)
    assert {(one["false, 5 %"], one["found, 5 %"]) for one in draws} == {(0.0, 0.0)}
    assert all(one["found, 10 %"] == 1 for one in draws)
    assert 0.2 < np.mean([one["false, 10 %"] for one in draws]) < 0.7


def test_means_have_standard_errors():
    found = summary([{"false, 5 %": 0.0}, {"false, 5 %": 1.0}])
    assert found["false, 5 %"] == 0.5
    assert found["± false, 5 %"] == pytest.approx(0.5)


class Stub:
    """A model for which cells with much of the first gene are novel."""

    def get_novelty(self, mdata):
        score = mdata["rna"].X[:, 0].toarray().ravel()
        table = {"p_value": 0.5, "q_value": np.where(score > 4, 0.01, 0.9), "score": score}
        return pd.DataFrame(table, index=mdata["rna"].obs_names)

    def predict_labels(self, mdata, *, soft):
        return pd.DataFrame({"label": "T"}, index=mdata.obs_names)


def test_a_run_has_the_figures_of_one_missing_type(mdata, monkeypatch):
    monkeypatch.setattr(novelty.mudata, "read_h5mu", lambda path: mdata)
    monkeypatch.setattr(novelty, "find_file", lambda name: name)
    monkeypatch.setattr(novelty, "N_DRAWS", 3)
    monkeypatch.setattr(novelty, "trained", lambda mdata, cells, seed, **options: Stub())
    found, arrays = measure(NoveltyRun(dataset="bmmc", rank=1, seed=0, code="x"))
    assert (found["type"], found["nearest"]) == ("B", "T")
    assert found["AUROC"] > 0.9
    assert found["cells"] == arrays["novel"].sum() == 40
    assert 0 <= found["false, 5 %"] <= 1
