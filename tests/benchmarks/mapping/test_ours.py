"""HZAU-VAE is asked as users ask it; a stand-in answers."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from benchmarks.mapping.methods import logistic, ours, ours_retrained, ours_trained, pca_knn
from benchmarks.mapping.methods.exchange import Answer
from benchmarks.mapping.methods.ours_retrained import together
from benchmarks.mapping.tasks import RNA_ONLY


class Stub:
    """A model that says T of each cell, and remembers what it was told."""

    setups: ClassVar[list] = []

    def __init__(self, mdata):
        self.mdata = mdata
        self.history = {"elbo_train": [1.0, 2.0]}
        self.trainings = []

    @classmethod
    def setup_mudata(cls, mdata, modalities, **options):
        assert set(mdata.mod) == set(modalities)
        labels = mdata.obs[options["labels_key"]]
        cls.setups.append({**options, "types": list(labels.cat.categories), "n": labels.count()})

    @classmethod
    def load_query_data(cls, mdata, model):
        assert isinstance(model, cls)
        return cls(mdata)

    def train(self, *, seed, enable_progress_bar):
        self.trainings.append(seed)

    def predict_labels(self, mdata, *, soft=True):
        assert self.trainings
        if soft:
            return pd.DataFrame({"T": 0.75, "B": 0.25}, index=mdata.obs_names)
        table = {"label": "T", "probability": 0.75, "set": ["T"] * mdata.n_obs, "set_size": 1}
        return pd.DataFrame(table, index=mdata.obs_names)

    def impute(self, modality, mdata, *, seed):
        assert modality not in mdata.mod
        x = np.ones((mdata.n_obs, 3))
        var = pd.DataFrame(index=["prot2", "prot0", "prot1"])
        return AnnData(
            x, pd.DataFrame(index=mdata.obs_names), var, layers={"log1p_mean": x * [2, 0, 1]}
        )

    def get_latent_representation(self, mdata):
        return np.arange(mdata.n_obs)[:, None] * np.ones((1, 2))


@pytest.fixture
def stub(monkeypatch):
    """The stand-in, wherever a model is made."""
    Stub.setups = []
    for module in ("integration.methods.ours", "mapping.methods.ours_trained"):
        monkeypatch.setattr(f"benchmarks.{module}.model_class", lambda: Stub)
    return Stub


@pytest.mark.parametrize("module", [ours, ours_trained, ours_retrained])
def test_answers_are_in_the_order_of_cells_and_types(module, data, stub):
    fitted = module.fit(data.question, 0, 60.0)
    for form, query in data.question.forms.items():
        found = fitted.answer(query, 60.0)
        assert isinstance(found, Answer)
        np.testing.assert_allclose(found.probabilities, [[0.25, 0.75]] * 40)
        np.testing.assert_array_equal(found.sets, [[False, True]] * 40)
        assert found.query.shape == (40, 2)
        assert found.reference.shape == (60, 2)
        assert (found.protein is None) == (form != RNA_ONLY)
    rna = fitted.answer(data.question.forms[RNA_ONLY], 60.0)
    np.testing.assert_array_equal(rna.protein, [[0, 1, 2]] * 40)


def test_unknown_types_are_missing(data, stub):
    ours.fit(data.question, 0, 60.0)
    expected = {"batch_key": "batch", "labels_key": "cell_type", "types": ["B", "T"], "n": 54}
    assert stub.setups == [expected]


def test_a_model_that_is_trained_further_knows_the_batch_of_the_reference(data, stub):
    ours_trained.fit(data.question, 0, 60.0)
    assert stub.setups[0]["batch_key"] == "batch"


def test_labels_of_the_query_are_not_told(data, stub):
    query = data.question.forms[RNA_ONLY]
    ours_retrained.fit(data.question, 0, 60.0).answer(query, 60.0)
    assert stub.setups[0]["n"] == 54


def test_together_a_panel_is_what_a_batch_measured(data):
    cells = together(data.question.reference, data.question.forms["RNA and protein"])
    np.testing.assert_array_equal(cells.batches, ["new", "old"])
    np.testing.assert_array_equal(cells.measured["protein"], [[True, True, False], [True] * 3])
    assert cells.counts["protein"].shape == (100, 3)
    alone = together(data.question.reference, data.question.forms[RNA_ONLY])
    assert alone.measured["protein"].all()
    np.testing.assert_array_equal(alone.present["protein"], np.arange(100) < 60)


@pytest.mark.parametrize("module", [logistic, pca_knn])
def test_plain_methods_find_the_types(module, data):
    fitted = module.fit(data.question, 0, 60.0)
    known = data.labels != ""
    for query in data.question.forms.values():
        share = fitted.answer(query, 60.0).probabilities
        np.testing.assert_allclose(share.sum(axis=1), 1, rtol=1e-5)
        found = data.question.types[share.argmax(axis=1)]
        assert (found == data.labels)[known].mean() > 0.9
