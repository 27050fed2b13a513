"""Details of how models read texts: which words, which modality, which batches, which callable."""

import sys

import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics import model as models
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.text import Ontology, Term

SIZES = {"n_latent": 4, "n_hidden": 16}
NOTES = {
    "type_0": "B cell, CD19+",
    "type_1": "T cell, CD3+ T cell",
    "type_2": "NK cell of the blood",
    "type_3": "monocyte",
}
SMALL = Ontology(
    [Term("R:1", "cell"), *(Term(f"R:{n}", n, parents=("R:1",)) for n in NOTES.values())],
    name="of readings",
)


def simulated(n_obs=90, seed=0, **options):
    """Cells of which some are described, those of the first batch never."""
    mdata = ho.data.simulate(
        n_obs, n_features={"rna": 14, "adt": 6}, n_batches=3, missing={"adt": 0.2}, seed=seed
    )
    mdata.obs["note"] = mdata.obs["cell_type"].astype(str).map(NOTES).astype(object)
    mdata.obs.loc[mdata.obs["batch"] == "batch_0", "note"] = None
    mdata.obs["sex"] = pd.Categorical(["m", "f"] * (n_obs // 2))
    mdata.obs["age"] = np.arange(n_obs, dtype=float)
    if options.pop("described", True):
        ho.pp.add_text_modality(mdata, "note", **options)
    return mdata


def untrained(mdata, system="HZAUVAE", modalities=None, **setup):
    """A model whose weights are as they were drawn."""
    kind = getattr(models, system)
    spec = modalities or {"rna": "nb", "adt": "nb", "text": "bernoulli"}
    kind.setup_mudata(mdata, spec, **({"batch_key": "batch"} | setup))
    model = kind(mdata, **SIZES)
    model.is_trained = True  # random weights will do
    return model


@pytest.fixture(scope="module")
def mdata():
    return simulated()


@pytest.fixture(scope="module")
def model(mdata):
    return untrained(mdata, categorical_covariate_keys=["sex"], continuous_covariate_keys=["age"])


def test_the_order_of_words_in_a_modality_does_not_matter(mdata):
    turned = simulated(described=False)
    reference = mdata["text"]
    ho.pp.add_text_modality(turned, "note")
    turned.mod["text"] = turned["text"][:, ::-1].copy()
    turned.update()
    model = untrained(turned)
    assert list(model.layout.modality("text").var_names) == list(reference.var_names)[::-1]
    described = model.describe([0, 40], top=99)
    frequency = dict(zip(reference.var_names, reference.uns["text"]["frequency"], strict=True))
    np.testing.assert_allclose(described["typical"], described["text"].map(frequency), rtol=1e-5)
    imputed = model.impute("text", n_samples=400, quantiles=(), seed=0, indices=[0, 40]).to_df()
    expected = [imputed.loc[cell, word] for (cell, _), word in described["text"].items()]
    np.testing.assert_allclose(described["probability"], expected, atol=0.06)


def test_words_that_were_filtered_out_are_not_known():
    few = simulated()
    few.mod["text"] = few["text"][:, few["text"].var_names != "monocyte"].copy()
    few.update()
    model = untrained(few)
    assert model.query_text("b cell").shape == (few.n_obs, 1)
    with pytest.raises(DataContractError, match="knows none of 'monocyte'"):
        model.query_text("monocyte")
    with pytest.warns(HzauWarning, match="does not know 'monocyte'"):
        model.query_text("monocyte cell")


def test_no_batch_at_all_is_refused(model):
    with pytest.raises(DataContractError, match="transform_batch names batches"):
        model.generate("rna", text="monocyte", transform_batch=[])


def test_words_are_ranked_by_what_they_say_of_the_cell(model):
    found = model.describe([3, 50, 51], top=99)
    assert found.index.get_level_values("cell").unique().tolist() == list(
        model.adata.obs_names[[3, 50, 51]]
    )
    told = found["probability"] * np.log(found["probability"] / found["typical"])
    for _, values in told.groupby(level="cell"):
        assert (np.diff(values) <= 1e-6).all()
    words = set(model.layout.modality("text").var_names)
    assert all(set(of) == words for _, of in found["text"].groupby(level="cell"))
    pd.testing.assert_frame_equal(
        model.describe([3, 50, 51], top=2), found[found.index.get_level_values("rank") <= 2]
    )


def test_one_cell_is_described_alike_with_a_list_of_words():
    words = ["cd19+", "monocyte", "cell", "t", "nk", "b", "blood", "cd3+"]
    model = untrained(simulated(vocabulary=words))
    alone = model.describe([7], top=3, given="rna")
    told = alone["probability"] * np.log(alone["probability"] / alone["typical"])
    assert (told != 0).all()
    assert (np.diff(told) <= 1e-6).all()


def test_counted_words_are_scored_by_their_share_whatever_the_length():
    mdata = simulated(weighting="count")
    spec = {"rna": "nb", "text": ho.data.ModalitySpec(likelihood="multinomial", library="observed")}
    longer = mdata.copy()
    longer["text"].X = longer["text"].X * 5
    model = untrained(mdata, modalities=spec)
    asked = {"given": "rna", "n_samples": 3}
    short, long = (model.query_text("monocyte", cells, **asked) for cells in (mdata, longer))
    np.testing.assert_allclose(short, long, rtol=1e-4)
    found = model.describe(top=99, **asked)
    np.testing.assert_allclose(found["probability"].groupby(level="cell").sum(), 1, rtol=1e-4)
    np.testing.assert_allclose(found["typical"].groupby(level="cell").sum(), 1, rtol=1e-4)


def test_held_out_cells_need_no_text_and_keep_their_order(model):
    others = simulated(30, seed=9, described=False)[::-1].copy()
    found = model.query_text(["monocyte", "B cell"], others, batch_size=7)
    assert found.index.equals(others.obs_names)
    shares = model.get_text_probabilities(["monocyte", "B cell"], others, indices=[4, 2])
    assert list(shares.index) == list(others.obs_names[[4, 2]])
    # Results for a cell do not depend on the other cells.
    mask = np.arange(30) < 10
    first = model.query_text("monocyte", others, indices=mask, n_samples=400)
    np.testing.assert_allclose(
        first["score"], model.query_text("monocyte", others, n_samples=400)["score"][mask], atol=0.1
    )


def test_words_need_no_package_of_the_extra(model, monkeypatch):
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    monkeypatch.setitem(sys.modules, "cellxgene_ontology_guide", None)
    assert len(model.query_text("monocyte")) == 90


def test_drawn_cells_take_turns_as_the_batches_that_measured_them(model):
    texts = ["monocyte", "B cell"]
    drawn = model.generate("rna", text=texts, n_samples=3, give_mean=True, seed=2)
    assert drawn.shape == (6, 14)
    assert list(drawn.obs["cell"]) == np.repeat(texts, 3).tolist()
    options = {"n_samples": 3, "give_mean": True, "seed": 2}
    other = model.generate("rna", text=texts, transform_batch=["batch_0", "batch_1"], **options)
    same = np.isclose(drawn.X, other.X, rtol=1e-4).all(axis=1)
    assert same.tolist() == [True, True, False, True, False, False]


def test_texts_are_read_as_of_a_batch_that_has_texts(model):
    # Nothing of batch_0 is described: how to read texts of it was never learned.
    first, second = (
        model.generate("rna", text="monocyte", transform_batch=batch, seed=0)
        for batch in ("batch_0", "batch_1")
    )
    np.testing.assert_array_equal(first.obsm["X_hzau"], second.obsm["X_hzau"])


def test_drawn_cells_are_counts_from_the_text_alone(model):
    drawn = model.generate("adt", text="monocyte", n_samples=50, seed=0)
    np.testing.assert_array_equal(drawn.X, np.round(drawn.X))
    assert drawn.X.min() >= 0
    assert len(np.unique(drawn.obsm["X_hzau"], axis=0)) == 50
    other = model.generate("adt", text="B cell", n_samples=50, seed=0)
    assert not np.allclose(drawn.obsm["X_hzau"], other.obsm["X_hzau"])


def test_of_several_texts_conditions_name_the_one_that_is_read():
    mdata = simulated()
    ho.pp.add_ontology_modality(mdata, "note", ontology=SMALL)
    spec = {"rna": "nb", "text": "bernoulli", "ontology": "bernoulli"}
    model = untrained(mdata, modalities=spec)
    with pytest.raises(ConfigError, match=r"Several.*'text', 'ontology'.*conditions=\.\.\. of gen"):
        model.generate("rna", text="monocyte")
    words, terms = (
        model.generate("rna", text="monocyte", conditions=name, give_mean=True, seed=0).X
        for name in ("text", "ontology")
    )
    assert not np.allclose(words, terms)
    with pytest.raises(ConfigError, match="A text is read by one modality"):
        model.generate("rna", text="monocyte", conditions=["text", "ontology"])
    with pytest.raises(ConfigError, match="'rna' was not made of text"):
        model.generate("rna", text="monocyte", conditions="rna")
    with pytest.raises(DataContractError, match="'speech' is not registered"):
        model.query_text("monocyte", modality="speech")


def test_two_models_of_one_class_keep_their_own_texts(tmp_path):
    mdata = simulated()
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))

    def reader(turn):
        return lambda texts: np.array([[t.lower().count(x) + 0.1 for x in turn] for t in texts])

    for name, turn in (("one", letters), ("other", letters[::-1])):
        ho.pp.add_text_modality(mdata, "note", name=name, encoder=reader(turn))
    spec = {"rna": "nb", "one": "normal", "other": "normal"}
    model = untrained(mdata, modalities=spec)
    for name, turn in (("one", letters), ("other", letters[::-1])):
        asked = {"modality": name, "seed": 0}
        expected = model.query_text("monocyte", encoder=reader(turn), **asked)
        pd.testing.assert_frame_equal(model.query_text("monocyte", **asked), expected)


@pytest.mark.parametrize("system", ["MVAE", "MVAEQ", "JMVAE", "MMVAE", "MoPoEVAE", "CoDEVAE"])
def test_systems_with_a_joint_posterior_answer_and_draw(mdata, system):
    model = untrained(mdata, system, {"rna": "nb", "text": "bernoulli"})
    found = model.query_text("monocyte", given="rna")
    assert np.isfinite(found["score"]).all()
    assert (found["score"] <= 0).all()
    assert model.generate("rna", text="monocyte", n_samples=2, seed=0).shape == (2, 14)


def test_a_system_of_separate_posteriors_is_told_what_to_infer_from(mdata):
    model = untrained(mdata, "BiVCCA", {"rna": "nb", "text": "bernoulli"})
    assert np.isfinite(model.query_text("monocyte", given="rna")["score"]).all()
    with pytest.raises(ConfigError, match=r"no posterior of rna\+text"):
        model.query_text("monocyte")
    assert model.generate("rna", text="monocyte", seed=0).n_obs == 1


def test_a_conditional_model_of_text_answers_by_its_condition():
    cells = simulated()
    cells = cells[cells.obs["note"].notna()].copy()
    model = untrained(cells, "CVAE", {"text": "bernoulli", "rna": "nb"})
    assert np.isfinite(model.query_text("monocyte", given="rna")["score"]).all()
    with pytest.raises(ConfigError, match="does not predict 'rna'"):
        model.generate("rna", text="monocyte")


def test_a_store_that_is_opened_again_answers_as_the_mudata(mdata, tmp_path):
    spec = {"rna": "nb", "adt": "nb", "text": "bernoulli"}
    ho.data.write_store(mdata, tmp_path / "cells.zarr", spec, batch_key="batch")
    model = models.HZAUVAE(ho.data.open_store(tmp_path / "cells.zarr"), **SIZES)
    model.train(max_epochs=1, batch_size=64, accelerator="cpu", enable_progress_bar=False, seed=0)
    stored = model.layout.modality("text").text
    assert stored["vocabulary"] == list(mdata["text"].var_names)
    from_disk = model.query_text("monocyte", n_samples=300)
    in_memory = model.query_text("monocyte", mdata, n_samples=300)
    assert from_disk.index.equals(in_memory.index)
    np.testing.assert_allclose(from_disk, in_memory, atol=0.1)
    model.save(tmp_path / "model")
    again = models.HZAUVAE.load(tmp_path / "model")
    assert again.layout.modality("text").text == stored
    assert again.text_temperature_ == model.text_temperature_
    pd.testing.assert_frame_equal(
        again.query_text("monocyte", mdata), model.query_text("monocyte", mdata)
    )
