"""The runner of our model, with a stand-in that keeps the public contract and records the calls."""

from typing import ClassVar

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from benchmarks.common.data import make_split
from benchmarks.imputation.ours import ours_imputation
from benchmarks.imputation.scores import score


class Stub:
    """Knows the truth of every cell; returns rows and columns in another order than asked."""

    truth: ClassVar[AnnData]
    calls: ClassVar[list[tuple]] = []

    @classmethod
    def setup_mudata(cls, mdata, *, modalities, batch_key=None):
        cls.calls.append(("setup", mdata, modalities, batch_key))

    def __init__(self, mdata):
        self.mdata = mdata
        self.history = {}

    def train(self, **kwargs):
        self.calls.append(("train", kwargs))
        self.history["elbo_train"] = pd.DataFrame({"elbo_train": np.zeros(7)})

    def impute(self, modality, *, given, mdata, n_samples, seed):
        self.calls.append(("impute", modality, given, mdata, n_samples, seed))
        rows = self.truth[mdata.obs_names[::-1]].copy()[:, ::-1].copy()
        rows.layers["log1p_mean"] = np.log1p(rows.X.toarray())
        return rows

    def get_pit(self, modality, *, given, mdata, seed):
        self.calls.append(("pit", modality, given, mdata, seed))
        names = mdata[modality].var_names[::-1]
        return pd.DataFrame(0.5, index=mdata.obs_names[::-1], columns=names)


@pytest.fixture
def stub(paired):
    class Fresh(Stub):
        truth = paired["prot"]
        calls: ClassVar[list[tuple]] = []

    return Fresh


def test_prediction_is_matched_to_cells_and_features_by_name(paired, stub):
    split = make_split(paired)
    prediction = ours_imputation(split, seed=3, cls=stub)
    table = score(prediction, split.test_y, split.features)
    np.testing.assert_allclose(table["pearson"], 1.0)
    assert (table["coverage50"] == 1.0).all()
    assert prediction.info["epochs"] == 7


def test_training_is_default_and_sees_only_training_cells(paired, stub):
    split = make_split(paired)
    ours_imputation(split, seed=3, cls=stub)
    _, mdata, modalities, batch_key = stub.calls[0]
    assert set(mdata.obs_names) == set(split.train.obs_names)
    assert modalities == {"rna": "nb", "prot": "nb"}
    assert batch_key is None
    assert stub.calls[1] == ("train", {"seed": 3})


def test_target_is_not_there_when_it_is_imputed(paired, stub):
    split = make_split(paired)
    ours_imputation(split, seed=3, cls=stub)
    kind, modality, given, mdata, n_samples, seed = stub.calls[2]
    assert (kind, modality, given, n_samples, seed) == ("impute", "prot", ["rna"], 100, 3)
    assert list(mdata.mod) == ["rna"]
    kind, modality, given, mdata, seed = stub.calls[3]
    assert (kind, modality, given, seed) == ("pit", "prot", ["rna"], 3)
    assert list(mdata.obs_names) == list(split.test.obs_names)
