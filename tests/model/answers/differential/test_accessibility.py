import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture(scope="module")
def chromatin(fit):
    cells = ho.data.simulate(
        300,
        seed=1,
        n_features={"rna": 110, "atac": 150},
        likelihoods={"atac": "bernoulli"},
        n_cell_types=2,
    )
    return fit(cells, {"rna": "nb", "atac": "bernoulli"}, max_epochs=30), cells


def test_peaks_are_called_in_scvis_words(chromatin):
    model, cells = chromatin
    found = model.differential_accessibility("atac", "cell_type", "type_0", "type_1", seed=0)
    called = found[found["is_da_fdr_0.05"]]
    assert len(called) > 10
    assert (np.sign(called["emp_effect"]) == -np.sign(called["lfc"])).mean() > 0.95
    of = (cells.obs["cell_type"] == "type_0").to_numpy()
    opened = np.asarray((cells["atac"].X[of] > 0).mean(0)).ravel()
    np.testing.assert_allclose(
        found["emp_prob1"], opened[cells["atac"].var_names.get_indexer(found.index)], rtol=1e-6
    )


def test_other_likelihoods_are_refused(chromatin):
    with pytest.raises(ConfigError, match="differential_expression"):
        chromatin[0].differential_accessibility("rna", "cell_type")


def test_features_of_two_modalities_are_correlated(chromatin):
    model, _ = chromatin
    wanted = {"rna": ["rna_1", "rna_0"], "atac": "atac_3"}
    found = model.get_feature_correlation_matrix(wanted, seed=0)
    assert found.index.tolist() == ["rna:rna_1", "rna:rna_0", "atac:atac_3"]
    np.testing.assert_allclose(np.diag(found), 1.0)
    np.testing.assert_allclose(found, found.T)
    assert found.equals(model.get_feature_correlation_matrix(wanted, seed=0))
    linear = model.get_feature_correlation_matrix(wanted, correlation_type="pearson", seed=0)
    assert not np.allclose(linear, found)


def test_denoised_features_follow_the_latent_that_made_them(chromatin):
    model, cells = chromatin
    every = model.get_feature_correlation_matrix(seed=0)
    assert every.shape == (260, 260)
    logits = cells["rna"].to_df()
    share = np.log(logits.div(logits.sum(1), axis=0) + 0.01)
    raw = share.groupby(cells.obs["cell_type"].to_numpy()).mean()
    difference = (raw.iloc[0] - raw.iloc[1]).to_numpy()
    same = np.sign(np.outer(difference, difference))
    strong = np.abs(np.outer(difference, difference)) > np.quantile(np.abs(difference), 0.9) ** 2
    block = every.iloc[:110, :110].to_numpy()
    off = strong & ~np.eye(110, dtype=bool)
    assert (np.sign(block[off]) == same[off]).mean() > 0.9


@pytest.mark.parametrize(
    ("features", "error", "message"),
    [
        ({}, ConfigError, "modality"),
        ({"rna": ["nothing"]}, DataContractError, "nothing"),
        ({"protein": None}, DataContractError, "not registered"),
    ],
)
def test_unknown_features_are_refused(chromatin, features, error, message):
    with pytest.raises(error, match=message):
        chromatin[0].get_feature_correlation_matrix(features)
