import numpy as np
import pandas as pd
import pytest

from benchmarks.differential.data import split_cells, thinned
from benchmarks.differential.measures import of_truth
from benchmarks.differential.methods import COLUMNS, METHODS


@pytest.mark.parametrize("name", ["wilcoxon", "wilcoxon-ties"])
def test_the_rank_test_finds_what_was_thinned(name, data):
    rng = np.random.default_rng(0)
    groups = split_cells(np.arange(400), 0.5, rng)
    counts, change = thinned(data.rna, *groups, rng)
    found = METHODS[name].test(None, data.with_rna(counts), groups)
    found = found.loc[data.mdata["rna"].var_names]
    assert list(found.columns) == COLUMNS
    measured = of_truth(found, change, np.ones(len(change)))
    assert measured["power"] > 0.8
    assert measured["slope of lfc"] == pytest.approx(1, abs=0.2)
    assert np.isnan(measured["coverage, all"])


class Peer:
    """Says what totalVI says."""

    def differential_expression(self, **options):
        assert options["use_field"] == ["rna"]
        proba = np.linspace(0.99, 0.01, 200)
        index = [f"gene{i}" for i in range(200)][::-1]
        columns = {"proba_de": proba, "proba_not_de": 1 - proba, "lfc_mean": 1.0}
        limits = {f"lfc_confidence_interval_0.9_{end}": 0.0 for end in ("min", "max")}
        return pd.DataFrame({**columns, **limits}, index=index)


def test_expected_false_discoveries_are_means_of_the_calls_so_far(one_batch):
    found = METHODS["totalvi"].test(Peer(), one_batch, (np.arange(5), np.arange(5, 9)))
    assert list(found.index) == list(one_batch.mdata["rna"].var_names)
    q = found["q_value"].to_numpy()[::-1]
    np.testing.assert_allclose(q[:2], [0.01, (0.02 + 0.98 / 199) / 2])
    assert (np.diff(q) > 0).all()


class Own:
    """Says what our model says, and remembers how it was asked."""

    def differential_expression(self, modality, **options):
        self.asked = options
        index = ["gene0", "gene1"]
        columns = {"p_value": [0.1, 0.2], "q_value": 0.2, "lfc": 1.0, "lfc_error": 0.3}
        belief = {"lfc_mean": 0.5, "lfc_q05": 0.0, "lfc_q95": 1.0}
        return pd.DataFrame({**columns, **belief}, index=index)


@pytest.mark.parametrize(
    ("name", "delta", "key"),
    [("ours", None, None), ("ours-0", 0, None), ("ours-samples", None, "batch")],
)
def test_our_model_is_asked_as_the_name_says(name, delta, key, data):
    model = Own()
    found = METHODS[name].test(model, data, (np.arange(5), np.arange(5, 9)))
    assert (model.asked["delta"], model.asked["sample_key"]) == (delta, key)
    assert list(found.columns) == COLUMNS
    assert (found["score"] == [-0.1, -0.2]).all()
