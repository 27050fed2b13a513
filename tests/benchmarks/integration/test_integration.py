import numpy as np
import pandas as pd
import pytest

from benchmarks.integration import __main__ as integration
from benchmarks.integration.data import choose_likelihoods, scored_cells
from benchmarks.integration.embeddings import embed_pca
from hzau_omics.errors import ConfigError, DataContractError


def test_chromatin_is_bernoulli_unless_said_otherwise():
    assert choose_likelihoods([], ["rna", "atac"]) == {"rna": "nb", "atac": "bernoulli"}
    assert choose_likelihoods(["atac=poisson"], ["rna", "atac"]) == {"atac": "poisson"}
    with pytest.raises(ConfigError, match=r"modality of the file \(rna, atac\).*got 'adt=nb'"):
        choose_likelihoods(["adt=nb"], ["rna", "atac"])


def test_unknown_labels_are_not_scored():
    labels = pd.Series(["a", "Mis", None, "b", "a"], name="cell_type")
    np.testing.assert_array_equal(scored_cells(labels, ["Mis"], 0, 0), [0, 3, 4])
    assert len(scored_cells(labels, ["Mis"], 2, 0)) == 2
    with pytest.raises(DataContractError, match=r"No cell is left.*cell_type"):
        scored_cells(labels, ["Mis", "a", "b"], 0, 0)


def test_pca_is_that_of_log_normalised_counts(paired):
    x = paired["rna"].X.toarray()
    totals = x.sum(axis=1, keepdims=True)
    y = np.log1p(x / totals * np.median(totals))
    y -= y.mean(axis=0)
    found = embed_pca(paired, n_pcs=3)
    _, values, _ = np.linalg.svd(y, full_matrices=False)
    np.testing.assert_allclose(np.linalg.norm(found, axis=0), values[:3], rtol=1e-3)


@pytest.mark.parametrize(
    ("extra", "match"),
    [
        (["--batch-key", "donor"], "no obs column 'donor'"),
        (["--label-key", "kind"], "no obs column 'kind'"),
        (["--pca-modality", "gex"], "no modality 'gex'"),
    ],
)
def test_wrong_names_end_with_code_2(paired, tmp_path, extra, match, capsys):
    path = tmp_path / "small.h5mu"
    paired.write_h5mu(path)
    assert integration.main([str(path), *extra]) == 2
    assert match in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_metrics_reward_labels_and_mixing():
    pytest.importorskip("scib_metrics", reason="needs the extra 'metrics'")
    from benchmarks.integration.scib import integration_metrics

    rng = np.random.default_rng(0)
    labels, batch = np.repeat(["a", "b", "c"], 100), np.tile(["one", "two"], 150)
    centre = np.eye(3)[np.repeat(np.arange(3), 100)] * 10
    good = centre + rng.normal(size=(300, 3))
    split_by_batch = good + np.where(batch == "one", 0, 30)[:, None]
    tables = [
        integration_metrics(x, labels, batch).set_index("metric")["value"]
        for x in (good, split_by_batch, rng.normal(size=(300, 3)))
    ]
    mixed, separated, noise = tables
    assert mixed["label conservation"] > noise["label conservation"] + 0.2
    assert mixed["batch mixing"] > separated["batch mixing"] + 0.2
    assert (
        abs(mixed["total"] - 0.6 * mixed["label conservation"] - 0.4 * mixed["batch mixing"]) < 1e-9
    )
