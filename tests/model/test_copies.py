"""Copies of models, and models that travel to and from other processes."""

import copy
import io
import pickle

import joblib
import numpy as np
import pytest

from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE


def by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize(
    "travel", [lambda model: pickle.loads(pickle.dumps(model)), by_joblib], ids=["pickle", "joblib"]
)
def test_a_model_travels_without_its_data(model, query, travel):
    arrived = travel(model)
    np.testing.assert_array_equal(
        arrived.get_latent_representation(query), model.get_latent_representation(query)
    )
    assert arrived.adata is None
    assert repr(arrived) == repr(model)
    with pytest.raises(ConfigError, match=r"Give the cells: mdata=..., or load it"):
        arrived.get_latent_representation()
    arrived.adata = model.adata.copy()
    np.testing.assert_array_equal(arrived.validation_indices, model.validation_indices)


def test_a_copy_is_a_model_of_its_own_on_the_same_data(mdata, fit, quick):
    model = fit(mdata)
    before = model.get_latent_representation()
    copied = copy.deepcopy(model)
    assert copied.adata is mdata
    np.testing.assert_array_equal(copied.get_latent_representation(), before)
    copied.train(**quick)
    assert (copied.n_epochs_trained_, model.n_epochs_trained_) == (4, 2)
    assert (copied.get_latent_representation() != before).any()
    np.testing.assert_array_equal(model.get_latent_representation(), before)


def test_a_copy_can_be_saved(model, tmp_path):
    copy.deepcopy(model).save(tmp_path / "model")
    np.testing.assert_array_equal(
        HZAUVAE.load(tmp_path / "model").get_latent_representation(model.adata),
        model.get_latent_representation(),
    )
