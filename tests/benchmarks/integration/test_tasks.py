import numpy as np
import pytest

from benchmarks.integration.catalogue import METHODS
from benchmarks.integration.methods.exchange import Cells, Embedding, spread
from benchmarks.integration.methods.ours import as_mudata
from benchmarks.integration.methods.preprocessing import centred_log_ratios, rna_components
from benchmarks.integration.tasks import TASKS, as_task


def test_cells_are_those_of_the_data(pair, data):
    cells = data.cells
    np.testing.assert_array_equal(cells.names, pair.obs_names)
    np.testing.assert_array_equal(cells.counts["rna"].toarray(), pair["rna"].X.toarray())
    assert cells.modalities == ["rna", "protein"]
    assert not cells.mosaic
    np.testing.assert_array_equal(cells.measured["protein"][0], [True, True, True, False])
    assert cells.measured["rna"].all()


def test_unknown_types_are_empty(data):
    assert (data.labels[::10] == "").all()
    assert set(np.delete(data.labels, np.s_[::10])) == {"B", "T"}


def test_a_modality_is_left_out_of_the_cells_that_lack_it(pair, mosaic):
    cells = mosaic.cells
    assert cells.mosaic
    np.testing.assert_array_equal(cells.present["protein"], np.arange(60) < 40)
    assert cells.counts["protein"][40:].nnz == 0
    np.testing.assert_array_equal(
        cells.counts["protein"][:40].toarray(), pair["prot"].X[:40].toarray()
    )
    assert set(cells.pattern) == {"rna+protein", "rna"}
    assert set(cells.group) == {"one", "two"}


def test_a_batch_of_cells_with_different_modalities_is_split(pair):
    cells = as_task(pair, {"prot": np.arange(60) < 10}).cells
    assert set(cells.group) == {"one rna", "one rna+protein", "two"}


def test_rows_are_matched_by_name(pair):
    shuffled = pair.copy()
    order = np.random.default_rng(0).permutation(60)
    shuffled.mod["prot"] = pair["prot"][order].copy()
    shuffled.update()
    cells = as_task(shuffled).cells
    expected = pair["prot"][cells.names].X.toarray()
    np.testing.assert_array_equal(cells.counts["protein"].toarray(), expected)


def test_cells_survive_the_file(mosaic, tmp_path):
    path = tmp_path / "folder" / "cells.npz"
    mosaic.cells.save(path)
    again = Cells.load(path)
    assert again.modalities == mosaic.cells.modalities
    np.testing.assert_array_equal(again.batch, mosaic.cells.batch)
    for m in again.modalities:
        assert (again.counts[m] != mosaic.cells.counts[m]).nnz == 0
        np.testing.assert_array_equal(again.present[m], mosaic.cells.present[m])
        np.testing.assert_array_equal(again.measured[m], mosaic.cells.measured[m])
        np.testing.assert_array_equal(again.features[m], mosaic.cells.features[m])


def test_an_embedding_survives_the_file(tmp_path):
    path = tmp_path / "one.npz"
    alone = spread(np.ones((2, 3)), np.array([0, 2]), 4)
    Embedding(joint=np.eye(4), alone={"rna": alone}).save(path)
    again = Embedding.load(path)
    np.testing.assert_array_equal(again.joint, np.eye(4))
    np.testing.assert_array_equal(np.isnan(again.alone["rna"]).all(axis=1), [0, 1, 0, 1])
    assert again.neighbours is None


@pytest.mark.parametrize(
    ("method", "reason"),
    [
        ("multivi", "MultiVI takes rna and chromatin, not protein"),
        ("wnn", "WNN needs all modalities of every cell"),
        ("harmony", None),
        ("totalvi", None),
        ("midas", None),
    ],
)
def test_a_method_says_what_it_does_not_take(mosaic, method, reason):
    assert METHODS[method].refusal(mosaic.cells) == reason


def test_methods_that_need_rna_refuse_cells_without(pair):
    cells = as_task(pair, {"rna": np.arange(60) < 10}).cells
    assert METHODS["totalvi"].refusal(cells) == "totalVI needs rna of every cell"
    assert METHODS["pca"].refusal(cells) == "PCA of RNA needs rna of every cell"


def test_ours_gets_cells_as_users_have_them(mosaic):
    mdata = as_mudata(mosaic.cells)
    assert mdata["protein"].n_obs == 40
    assert list(mdata["protein"].var.columns) == ["measured_one", "measured_two"]
    assert mdata.obs["batch"].notna().all()


def test_chromatin_is_open_or_closed_for_ours(pair):
    mdata = pair.copy()
    mdata.mod["atac"] = mdata.mod.pop("prot")
    task = as_task(mdata)
    np.testing.assert_array_equal(
        as_mudata(task.cells)["chromatin"].X.toarray(), pair["prot"].X.toarray() > 0
    )


def test_pca_is_that_of_log_normalised_counts(data):
    x = data.cells.counts["rna"].toarray()
    totals = x.sum(axis=1, keepdims=True)
    y = np.log1p(x / totals * np.median(totals))
    y -= y.mean(axis=0)
    _, values, _ = np.linalg.svd(y, full_matrices=False)
    found = np.linalg.norm(rna_components(data.cells, 0), axis=0)
    np.testing.assert_allclose(found[:3], values[:3], rtol=1e-3)


def test_log_ratios_are_centred_over_the_panel(data):
    found = centred_log_ratios(data.cells)
    assert (found[:40, 3] == 0).all()
    np.testing.assert_allclose(found[:40, :3].sum(axis=1), 0, atol=1e-5)


def test_there_are_six_integrations():
    assert list(TASKS) == list("abcdef")


@pytest.mark.filterwarnings("ignore")
def test_the_demo_s_mosaic_has_no_text():
    data = TASKS["a"].read(0)
    assert data.cells.modalities == ["rna", "protein"]
    assert data.cells.n == 1_600
    assert (data.labels == "").any()
    assert len(data.cells.batches) == 4
    assert len(np.unique(data.cells.group)) == 6
