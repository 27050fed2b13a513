import mudata
import numpy as np
import pytest
from scipy import sparse
from scipy.stats import false_discovery_control

import hzau_omics as ho
from hzau_omics.errors import ConfigError


@pytest.fixture(scope="module")
def most(fit):
    """A model trained without one of four types, and all cells."""
    every = ho.data.simulate(n_obs=500, seed=0, n_features={"rna": 60, "adt": 20})
    kept = every[(every.obs["cell_type"] != "type_2").to_numpy()].copy()
    options = {"n_latent": 5, "n_hidden": 32}
    return fit(kept, options=options, max_epochs=25, train_size=0.6), every


def test_a_type_that_was_left_out_is_novel(most):
    model, every = most
    found = model.get_novelty(every)
    left_out = (every.obs["cell_type"] == "type_2").to_numpy()
    assert found["p_value"][left_out].median() < 0.1
    assert found["score"][left_out].median() > 1.5 * found["score"][~left_out].median()


def test_p_values_of_validation_cells_are_uniform(most):
    model, _ = most
    n = len(model.validation_indices_)
    found = np.sort(model.get_novelty(indices=model.validation_indices_)["p_value"])
    # Each is counted among those that it is compared with.
    np.testing.assert_allclose(found, np.arange(2, n + 2) / (n + 1), atol=1e-6)


def test_q_values_are_those_of_the_cells_asked_about(most):
    model, every = most
    for asked in (every, every[:50].copy()):
        found = model.get_novelty(asked)
        np.testing.assert_allclose(
            found["q_value"], false_discovery_control(found["p_value"]), rtol=1e-6
        )
    assert found["p_value"].min() >= 0.999 / (len(model.validation_indices_) + 1)


def test_each_set_of_modalities_has_its_own_answer(most):
    model, every = most
    joint, rna = model.get_novelty(every), model.get_novelty(every, given="rna")
    assert not np.allclose(joint["score"], rna["score"])
    alone = mudata.MuData({"rna": every["rna"][:10].copy()})
    np.testing.assert_allclose(
        model.get_novelty(alone)["score"], rna["score"][:10], rtol=1e-3, atol=1e-4
    )


def test_a_cell_without_anything_to_infer_from_has_no_answer(model, query):
    found = model.get_novelty(query, given="adt")
    lacking = ~query.obs_names.isin(query["adt"].obs_names)
    assert lacking.any()
    np.testing.assert_array_equal(found.isna().all(axis=1), lacking)
    assert model.get_novelty(query, indices=[]).shape == (0, 3)


def test_a_model_without_validation_cells_says_so(mdata, fit):
    model = fit(mdata, train_size=1.0)
    with pytest.raises(ConfigError, match=r"without any.*train_size below 1"):
        model.get_novelty()
    model.annotate()
    assert "hzau_novelty" not in mdata.obsm


def test_an_empty_cell_has_an_answer(model, query):
    rna = query["rna"].copy()
    rna.X = sparse.csr_array(rna.shape, dtype=np.float32)
    empty = mudata.MuData({"rna": rna})
    empty.obs["batch"] = query.obs["batch"].reindex(empty.obs_names)
    assert np.isfinite(model.get_novelty(empty)).all().all()
