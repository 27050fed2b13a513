"""Probabilities that a protein's count is foreground."""

import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture(scope="module")
def mixture(fit):
    """A model of which one protein is on in half of the cells, far above its background."""
    mdata = ho.data.simulate(200, n_features={"rna": 30, "adt": 5}, n_cell_types=2, seed=0)
    rng = np.random.default_rng(0)
    is_on = (mdata.obs["cell_type"] == mdata.obs["cell_type"].iloc[0]).to_numpy()
    values = mdata["adt"].X.toarray()
    values[:, 2] = np.where(is_on, rng.poisson(300, 200), rng.poisson(3, 200))
    mdata["adt"].X = values
    model = fit(mdata, {"rna": "nb", "adt": "nb_mixture"}, max_epochs=60)
    return model, is_on


def test_probabilities_follow_the_cells_in_which_the_protein_is_on(mixture):
    model, is_on = mixture
    found = model.get_protein_foreground_probability("adt", seed=0)
    assert found.shape == (200, 5)
    assert ((found >= 0) & (found <= 1)).all(axis=None)
    assert found["adt_2"][is_on].mean() > 0.8
    assert found["adt_2"][~is_on].mean() < found["adt_2"][is_on].mean() - 0.3


def test_options_are_those_of_normalised_expression(mixture):
    model, _ = mixture
    options = {"seed": 0, "n_samples": 2, "indices": [4, 2]}
    some = model.get_protein_foreground_probability("adt", features="adt_2", **options)
    whole = model.get_protein_foreground_probability("adt", protein_list=None, **options)
    np.testing.assert_array_equal(some["adt_2"], whole["adt_2"])
    assert list(some.index) == list(model.adata.obs_names[[4, 2]])
    with pytest.raises(DataContractError, match="CD0"):
        model.get_protein_foreground_probability("adt", features="CD0")


def test_other_likelihoods_are_refused(mixture):
    model, _ = mixture
    with pytest.raises(ConfigError, match=r"Received 'rna' \(nb\).*'nb_mixture'"):
        model.get_protein_foreground_probability("rna")


def test_the_scale_that_totalvi_calls_latent_is_explained(mixture):
    model, _ = mixture
    with pytest.raises(ConfigError, match=r"Received 'latent'.*impute"):
        model.get_normalized_expression("adt", library_size="latent")
