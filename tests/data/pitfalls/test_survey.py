"""What set-up says of training cells, and that it says nothing of good ones."""

import re
import warnings

import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData

import hzau_omics as ho
from hzau_omics.data import ModalitySpec, build_layout
from hzau_omics.errors import HzauWarning

PAIR = {"rna": "nb", "adt": "nb"}
OPEN = ModalitySpec(likelihood="bernoulli", binarize=True)


def said(mdata, modalities=None, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        build_layout(mdata, modalities or PAIR, **options)
    return [str(w.message) for w in caught if issubclass(w.category, HzauWarning)]


def fill(mdata, name, cells, features=slice(None)):
    """Set values of some cells to 0."""
    values = mdata[name].X.toarray()
    rows = np.flatnonzero(mdata[name].obs_names.isin(cells))
    values[rows[:, None], np.arange(values.shape[1])[features]] = 0
    mdata[name].X = sp.csr_matrix(values)


@pytest.fixture
def cells():
    return ho.data.simulate(200, n_features={"rna": 60, "adt": 20}, n_batches=2, seed=0)


def renamed(mdata):
    mdata["rna"].obs_names = [f"{name}-1" for name in mdata["rna"].obs_names]
    obs = pd.concat([mdata.obs, mdata.obs.set_axis(mdata["rna"].obs_names)])
    mdata = MuData({"rna": mdata["rna"], "adt": mdata["adt"]})
    mdata.obs["batch"] = obs.loc[mdata.obs_names, "batch"]
    return mdata


@pytest.mark.parametrize("batch_key", [None, "batch"])
@pytest.mark.parametrize("options", [{}, {"missing": {"adt": 0.4}}, {"missing": {"rna": 0.9}}])
def test_simulated_cells_are_fine(options, batch_key):
    mdata = ho.data.simulate(300, n_batches=2, seed=1, **options)
    assert said(mdata, batch_key=batch_key) == []


@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_bundled_cells_are_fine(batch_key):
    mdata = ho.data.load("pbmc_mosaic")
    ho.pp.add_text_modality(mdata, "description")
    ho.pp.add_annotation_modality(mdata, "cell_type")
    likelihoods = PAIR | {"text": "bernoulli", "annotation": "categorical"}
    assert said(mdata, likelihoods, batch_key=batch_key) == []


@pytest.mark.parametrize(
    ("file", "modalities"),
    [
        ("citeseq_pbmc10k_totalvi.h5mu", {"rna": "nb", "prot": "nb_mixture"}),
        ("citeseq_bmmc_neurips2021_starter.h5mu", {"rna": "zinb", "prot": "nb"}),
        ("citeseq_pbmc_mosaic_midas_quickstart.h5mu", PAIR),
        ("multiome_snareseq_mouse_cortex.h5mu", {"rna": "nb", "atac": OPEN}),
        ("multiome_snareseq_mouse_cortex.h5mu", {"rna": "nb", "atac": "poisson"}),
    ],
)
def test_real_cells_are_fine(real, file, modalities):
    mdata = real(file)
    mdata.obs["half"] = np.random.default_rng(0).choice(["a", "b"], size=mdata.n_obs)
    for batch_key in ("batch", "half"):
        assert said(mdata, modalities, batch_key=batch_key) == []


def test_the_panels_of_two_real_batches(real):
    mdata = real("citeseq_pbmc_2batch_labelled.h5mu")
    likelihoods = {"rna": "nb", "prot": "nb"}
    assert said(mdata, likelihoods, batch_key="batch", panel_key="measured") == []
    assert [text.split(":")[0] for text in said(mdata, likelihoods, batch_key="batch")] == [
        f"{n} features of 'prot' are 0 in all {m} cells of batch {batch!r}, which is improbable "
        "given the other batches"
        for n, m, batch in ((6, "1,372", "InHouse"), (2, "6,855", "PBMC10k"))
    ]
    known = mdata["prot"].var.copy()
    ho.pp.mark_unmeasured(mdata, "prot", "batch", panel_key="found")
    assert said(mdata, likelihoods, batch_key="batch", panel_key="found") == []
    for batch in ("PBMC10k", "InHouse"):
        assert mdata["prot"].var[f"found_{batch}"].tolist() == known[f"measured_{batch}"].tolist()


def test_features_silent_in_a_batch(cells):
    fill(cells, "adt", cells.obs_names[cells.obs["batch"] == "batch_1"], slice(0, 14))
    (text,) = said(cells, batch_key="batch")
    assert text.startswith("14 features of 'adt' are 0 in all 111 cells of batch 'batch_1'")
    assert said(cells) == []
    remedy = re.search(r"ho\.pp\.mark_unmeasured\(.*?\)", text)[0]
    eval(remedy, {"ho": ho, "mdata": cells})
    assert said(cells, batch_key="batch", panel_key="measured") == []
    panel = build_layout(cells, PAIR, batch_key="batch", panel_key="measured").modality("adt").panel
    assert panel.tolist() == [[True] * 20, [False] * 14 + [True] * 6]
    cells["adt"].var["measured_batch_1"] = True
    assert said(cells, batch_key="batch", panel_key="measured") == []


def test_columns_that_say_what_was_measured_are_noticed(cells):
    fill(cells, "adt", cells.obs_names[cells.obs["batch"] == "batch_1"], slice(0, 14))
    for batch in ("batch_0", "batch_1"):
        cells["adt"].var[f"seen_{batch}"] = [batch == "batch_0"] * 14 + [True] * 6
    (text,) = said(cells, batch_key="batch")
    assert "set up with panel_key='seen' (in a configuration, setup: {panel_key: seen})" in text
    assert said(cells, batch_key="batch", panel_key="seen") == []


@pytest.mark.parametrize("layer", [None, "counts"])
@pytest.mark.parametrize("whole", [False, True])
def test_rows_filled_with_zeros(cells, whole, layer):
    empty = cells.obs_names[cells.obs["batch"] == "batch_1"] if whole else cells.obs_names[:80]
    fill(cells, "adt", empty)
    if layer:
        cells["adt"].layers[layer] = cells["adt"].X
        cells["adt"].X = cells["adt"].X * np.nan
    (text,) = said(cells, batch_key="batch", layers={"adt": layer})
    assert text.startswith(f"{len(empty)} of 200 cells of 'adt' have no count at all ('cell_")
    remedy = re.search(r"ho\.pp\.drop_empty_rows\(.*?\)", text)[0]
    mosaic = eval(remedy, {"ho": ho, "mdata": cells})
    assert mosaic["adt"].n_obs == 200 - len(empty)
    assert said(mosaic, batch_key="batch", layers={"adt": layer}) == []


def test_a_batch_of_zeros_where_single_rows_would_be_fine(cells):
    rng = np.random.default_rng(0)
    cells["adt"].X = sp.csr_matrix(rng.poisson(0.15, size=(200, 20)).astype(np.float32))
    assert said(cells, batch_key="batch") == []
    fill(cells, "adt", cells.obs_names[cells.obs["batch"] == "batch_1"])
    (text,) = said(cells, batch_key="batch")
    assert text.startswith("All features of 'adt' are 0 in all 111 cells of batch 'batch_1'")
    remedy = re.search(r"ho\.pp\.drop_empty_rows\(.*\)", text)[0]
    mosaic = eval(remedy, {"ho": ho, "mdata": cells})
    assert mosaic["adt"].n_obs == 89
    assert said(mosaic, batch_key="batch") == []


@pytest.mark.parametrize("batch_key", [None, "batch"])
def test_names_that_differ_by_a_suffix(cells, batch_key):
    cells = renamed(cells)
    (text,) = said(cells, batch_key=batch_key)
    assert text.startswith(
        "No cell has both rna and adt; 200 of 200 names agree without the suffix '-1'"
    )
    remedy = re.search(r"ho\.pp\.align_names\(.*?\)", text)[0]
    aligned, table = eval(remedy, {"ho": ho, "mdata": cells})
    assert (aligned.n_obs, len(table)) == (200, 200)
    assert said(aligned, batch_key=batch_key) == []


def test_some_paired_cells_do_not_hide_names_that_differ(cells):
    names = cells["rna"].obs_names.to_numpy(dtype=object).copy()
    names[50:] = [f"{name}-1" for name in names[50:]]
    cells["rna"].obs_names = names
    (text,) = said(MuData({"rna": cells["rna"], "adt": cells["adt"]}))
    assert text.startswith("50 cells have both rna and adt; 150 of 150 names agree without")


def test_modalities_that_no_cell_links():
    absent = {"rna": ["batch_0"], "adt": ["batch_1"], "atac": ["batch_1"]}
    mdata = ho.data.simulate(
        120, n_features={"rna": 40, "adt": 10, "atac": 30}, n_batches=2, missing=absent
    )
    likelihoods = PAIR | {"atac": "nb"}
    (text,) = said(mdata, likelihoods, batch_key="batch")
    assert text.startswith(
        "No cell links the modalities 'rna' (batches 'batch_1') with 'adt', 'atac' (batches "
        "'batch_0')"
    )
    del absent["atac"]
    linked = ho.data.simulate(
        120, n_features={"rna": 40, "adt": 10, "atac": 30}, n_batches=2, missing=absent
    )
    assert said(linked, likelihoods, batch_key="batch") == []


def test_counts_that_are_none():
    mdata = ho.data.simulate(300, n_features={"rna": 100, "adt": 20})
    raw = mdata["rna"].X.copy()
    mdata["rna"].layers["raw"] = raw
    mdata["rna"].X = sp.csr_matrix(np.round(np.log1p(raw.toarray())))
    (text,) = said(mdata)
    assert "look like rounded logarithms" in text
    assert said(mdata, layers={"rna": "raw"}) == []
    mdata["rna"].X = sp.csr_matrix(np.round(1e4 * raw.toarray() / raw.sum(axis=1)))
    (text,) = said(mdata)
    assert text.startswith("The totals of 'rna' are nearly the same in all cells (mean 10,0")
    assert said(mdata, {"rna": "multinomial", "adt": "nb"}) == []


def test_counts_beyond_a_million():
    mdata = ho.data.simulate(50)
    values = mdata["rna"].X.toarray()
    values[3, 7] = 2e6
    for form in (sp.csr_matrix, sp.csc_matrix, np.asarray):
        mdata["rna"].X = form(values)
        (text,) = said(mdata)
        assert "up to 2,000,000 (cell 'cell_3', feature 'rna_7')" in text
    assert said(mdata, {"rna": "normal", "adt": "nb"}) == []


def test_a_modality_of_zeros():
    mdata = ho.data.simulate(50)
    mdata["adt"].X = mdata["adt"].X * 0
    (text,) = said(mdata)
    assert text.startswith("All values of modality 'adt' are 0, so")


def test_set_up_changes_nothing_and_points_at_the_users_line(cells):
    fill(cells, "adt", cells.obs_names[:80])
    before = {name: adata.X.copy() for name, adata in cells.mod.items()}
    with pytest.warns(HzauWarning, match="have no count at all") as caught:
        build_layout(cells, PAIR, batch_key="batch")
    assert caught[0].filename == __file__
    for name, values in before.items():
        assert (values != cells[name].X).nnz == 0


def test_a_store_is_judged_as_a_whole(cells, tmp_path):
    """Two pieces of which each is one batch: only together are features silent in one of them."""
    pytest.importorskip("annbatch")
    second = cells.obs_names[cells.obs["batch"] == "batch_1"]
    fill(cells, "adt", second, slice(0, 14))
    pieces = [
        cells[np.asarray(cells.obs["batch"] == batch)].copy() for batch in ("batch_0", "batch_1")
    ]
    pieces[1].mod["adt"] = pieces[1]["adt"][:, ::-1].copy()
    pieces[1].update()
    with pytest.warns(HzauWarning, match="14 features of 'adt' are 0 in all 111 cells") as caught:
        ho.data.write_store(pieces, tmp_path / "two.zarr", PAIR, batch_key="batch")
    assert sum(w.category is HzauWarning for w in caught) == 1
    assert ho.data.open_store(tmp_path / "two.zarr").n_cells == 200


def test_rows_are_judged_with_those_of_other_pieces(cells, tmp_path):
    pytest.importorskip("annbatch")
    fill(cells, "adt", cells.obs_names[:50])
    pieces = [cells[:50].copy(), cells[50:].copy()]
    with pytest.warns(HzauWarning, match="50 of 200 cells of 'adt' have no count") as caught:
        ho.data.write_store(pieces, tmp_path / "two.zarr", PAIR)
    assert sum(w.category is HzauWarning for w in caught) == 1


def test_images_and_vectors_are_fine(tmp_path):
    rng = np.random.default_rng(0)
    pixels = (rng.random((300, 64)) < np.linspace(0, 0.6, 64)).astype(np.float32)
    vectors = rng.normal(size=(300, 8)).astype(np.float32)
    mdata = mudata.MuData({"image": AnnData(pixels), "vector": AnnData(vectors)})
    mdata.obs["batch"] = rng.choice(["a", "b"], size=300)
    assert said(mdata, {"image": "bernoulli", "vector": "normal"}, batch_key="batch") == []
