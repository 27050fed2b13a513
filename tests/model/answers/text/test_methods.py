"""Questions in words: what models answer, and what they refuse."""

import json

import numpy as np
import pandas as pd
import pytest
from mudata import MuData
from sklearn.metrics import roc_auc_score

import hzau_omics as ho
from hzau_omics import model as models
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.text import Ontology, Term
from hzau_omics.text.session_registry import SESSION

KINDS = {"B": "B lymphocyte", "NK": "natural killer", "Mono": "monocyte", "CD4 T": "helper T cell"}
ONTOLOGY = Ontology(
    [
        Term("T:1", "blood cell"),
        Term("T:2", "lymphocyte", parents=("T:1",)),
        Term("T:3", "B lymphocyte", "A cell that makes antibodies.", parents=("T:2",)),
        Term("T:4", "natural killer", "A cell that kills tumours.", parents=("T:2",)),
        Term("T:5", "helper T cell", "A cell that helps.", parents=("T:2",)),
        Term("T:6", "monocyte", "A phagocyte of the blood.", parents=("T:1",)),
    ],
    name="small",
)
QUICK = {"batch_size": 64, "accelerator": "cpu", "enable_progress_bar": False, "seed": 0}
SIZES = {"n_latent": 8, "n_hidden": 48}


def count_kinds(texts):
    """Vectors of a "language model" that knows four kinds, and one word for each besides."""
    known = [(kind, extra) for kind, extra in zip(
        KINDS.values(), ("antibodies", "tumours", "phagocyte", "helps"), strict=True
    )]  # fmt: skip
    return np.array([[float(k in t or e in t) for k, e in known] + [0.1] for t in texts])


@pytest.fixture(scope="module")
def cells():
    """Cells with RNA, some of them described; the first batches to train on, the last held out."""
    full = ho.data.load("pbmc_mosaic")
    rna = full["rna"].copy()
    rna.obs["batch"] = full.obs["batch"].reindex(rna.obs_names).astype(str)
    kind = full.obs["cell_type"].reindex(rna.obs_names).astype(str)
    rng = np.random.default_rng(0)
    mdata = MuData({"rna": rna})
    mdata.obs["batch"] = rna.obs["batch"]
    mdata.obs["kind"] = kind
    said = kind.map(KINDS).where(rng.random(len(kind)) < 0.6)
    mdata.obs["note"] = [None if pd.isna(text) else text for text in said]
    return mdata


ADDERS = {
    "words": lambda m: ho.pp.add_text_modality(m, "note"),
    "sentences": lambda m: ho.pp.add_text_modality(m, "note", encoder=count_kinds),
    "terms": lambda m: ho.pp.add_ontology_modality(m, "note", name="text", ontology=ONTOLOGY),
}


@pytest.fixture(scope="module", params=ADDERS)
def trained(request, cells):
    mdata = cells.copy()
    ADDERS[request.param](mdata)
    likelihood = "normal" if request.param == "sentences" else "bernoulli"
    models.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "text": likelihood}, batch_key="batch")
    model = models.HZAUVAE(mdata, **SIZES)
    model.train(12, **QUICK)
    return request.param, model, mdata


@pytest.fixture(scope="module")
def words(cells):
    mdata = cells.copy()
    ADDERS["words"](mdata)
    models.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "text": "bernoulli"}, batch_key="batch")
    model = models.HZAUVAE(mdata, **SIZES)
    model.train(2, **QUICK)
    return model, mdata


def known_cells(mdata):
    return mdata.obs["kind"].isin(KINDS).to_numpy()


def test_queries_find_cells_by_what_rna_says(trained):
    _, model, mdata = trained
    found = model.query_text("natural killer", given="rna")
    assert list(found.columns) == ["score"]
    assert found.index.equals(mdata.obs_names)
    unseen = mdata.obs["note"].isna().to_numpy()
    right = (mdata.obs["kind"] == "NK").to_numpy()
    assert roc_auc_score(right[unseen], found["score"][unseen]) > 0.9


def test_words_that_no_text_has_are_for_those_who_know_them(trained):
    kind, model, mdata = trained
    if kind == "words":
        with pytest.raises(DataContractError, match=r"it knows none of 'phagocyte'.*ontology"):
            model.query_text("phagocyte")
        return
    found = model.query_text("phagocyte", given="rna")["score"]
    assert roc_auc_score(mdata.obs["kind"] == "Mono", found) > 0.9


def test_candidates_get_probabilities_that_annotate(trained):
    _, model, mdata = trained
    shares = model.get_text_probabilities(
        {kind: [text] for kind, text in KINDS.items()}, given="rna"
    )
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    assert list(shares.columns) == list(KINDS)
    known = known_cells(mdata)
    assert (shares.idxmax(axis=1) == mdata.obs["kind"])[known].mean() > 0.8
    # Calibrated on validation cells: a mean probability is about how often it is right.
    assert shares[known].max(axis=1).mean() == pytest.approx(
        (shares.idxmax(axis=1) == mdata.obs["kind"])[known].mean(), abs=0.2
    )
    assert 0 < model.text_temperature_["text"] < 2


def test_descriptions_say_what_cells_are(trained):
    kind, model, mdata = trained
    monocytes = np.flatnonzero(mdata.obs["kind"] == "Mono")[:20]
    found = model.describe(monocytes, top=2, given="rna")
    assert found.index.names == ["cell", "rank"]
    assert len(found) == 40
    assert ((found["probability"] >= 0) & (found["probability"] <= 1)).all()
    assert ("typical" in found) == (kind != "sentences")
    assert (found.xs(1, level="rank")["text"] == "monocyte").mean() > 0.8
    assert list(found.xs(1, level="rank").index) == list(mdata.obs_names[monocytes])


def test_cells_are_drawn_from_texts(trained):
    _, model, _ = trained
    drawn = model.generate("rna", text=["monocyte", "B lymphocyte"], n_samples=300, seed=1)
    assert list(drawn.obs["cell"]) == ["monocyte"] * 300 + ["B lymphocyte"] * 300
    mean = drawn.to_df().groupby(drawn.obs["cell"].to_numpy()).mean()
    # A word or two leave much open: types are told apart by more than chance, not as in real cells.
    assert mean.loc["monocyte", "S100A8"] > 1.2 * mean.loc["B lymphocyte", "S100A8"]
    again = model.generate("rna", text=["monocyte", "B lymphocyte"], n_samples=300, seed=1)
    np.testing.assert_array_equal(again.X, drawn.X)
    one = model.generate("rna", text="monocyte", transform_batch=mdata_batch(model), seed=0)
    assert one.n_obs == 1


def mdata_batch(model):
    return model.layout.batch.categories[0]


def test_held_out_cells_keep_their_order(trained):
    _, model, mdata = trained
    some = mdata[::-7].copy()
    found = model.query_text("monocyte", some, given="rna", batch_size=13)
    assert found.index.equals(some.obs_names)
    chosen = model.query_text("monocyte", given="rna", indices=[5, 2])
    assert list(chosen.index) == list(mdata.obs_names[[5, 2]])


def test_saved_models_answer_alike(trained, tmp_path, monkeypatch):
    kind, model, mdata = trained
    model.save(tmp_path / "m")
    again = models.HZAUVAE.load(tmp_path / "m")
    asked = ("monocyte", mdata)
    expected = model.query_text(*asked)
    pd.testing.assert_frame_equal(again.query_text(*asked), expected)
    assert again.text_temperature_ == pytest.approx(model.text_temperature_)
    if kind != "sentences":
        return
    monkeypatch.setattr(SESSION, "callables", {})
    with pytest.raises(ConfigError, match="cannot be stored"):
        again.query_text(*asked)
    found = again.query_text(*asked, encoder=count_kinds)
    pd.testing.assert_frame_equal(found, expected)


def test_score_of_words_is_that_of_imputed_probabilities(words):
    model, _ = words
    found = model.query_text("natural killer", n_samples=200)["score"]
    imputed = model.impute("text", n_samples=200, quantiles=(), neighbours=False, seed=0)
    p = imputed[:, ["natural", "killer"]].X.clip(1e-4, 1)
    # Two sets of 200 latent draws.
    np.testing.assert_allclose(found, np.log(p).mean(1), atol=0.1)


def test_several_queries_and_what_they_were_read_as(words):
    model, _ = words
    with pytest.warns(HzauWarning, match=r"Of the text 'a macrophage or monocyte'.*'macrophage'"):
        found = model.query_text(["a macrophage or monocyte", "helper"])
    assert list(found.columns) == ["a macrophage or monocyte", "helper"]
    assert found.attrs["unknown"]["a macrophage or monocyte"] == ["macrophage"]
    assert found.attrs["read_as"]["helper"] == ["helper"]


@pytest.mark.parametrize(
    ("query", "error", "match"),
    [
        ("", DataContractError, "must have words. Received ''. Write what to look for"),
        (" \n", DataContractError, "must have words"),
        ("xyzzy plugh", DataContractError, r"knows none of 'xyzzy', 'plugh'"),
        ("monocite", DataContractError, r"Did you mean 'monocyte'"),
        (5, TypeError, r"A text must be a string. Received 5 of type int"),
        (["monocyte", None], TypeError, r"Received None"),
        ([], DataContractError, "[Aa]t least one text"),
    ],
)
def test_queries_that_cannot_be_answered(words, query, error, match):
    with pytest.raises(error, match=match):
        words[0].query_text(query)


@pytest.mark.parametrize("candidates", ["monocyte", ["monocyte"], ["a", "a"], {"x": []}])
def test_too_few_candidates(words, candidates):
    with pytest.raises(ConfigError, match="at least two different texts"):
        words[0].get_text_probabilities(candidates)


def test_generate_takes_cells_or_words(words):
    model, mdata = words
    for given in ({}, {"given": mdata, "text": "monocyte"}):
        with pytest.raises(ConfigError, match="either cells, given=, or words, text="):
            model.generate("rna", **given)
    with pytest.raises(ConfigError, match="Each text must occur once"):
        model.generate("rna", text=["monocyte", "monocyte"])


def test_models_without_text_say_so(cells):
    models.HZAUVAE.setup_mudata(cells.copy(), {"rna": "nb"})
    mdata = cells.copy()
    models.HZAUVAE.setup_mudata(mdata, {"rna": "nb"})
    model = models.HZAUVAE(mdata, **SIZES)
    with pytest.raises(ConfigError, match=r"No modality has text \('rna'\). Add one"):
        model.query_text("monocyte")
    with pytest.raises(ConfigError, match="not made of text, or its encoder was not stored"):
        model.query_text("monocyte", modality="rna")


def test_of_several_texts_one_is_named(cells):
    mdata = cells.copy()
    ho.pp.add_text_modality(mdata, "note")
    ho.pp.add_text_modality(mdata, "note", name="label", ngram_range=(1, 2))
    spec = {"rna": "nb", "text": "bernoulli", "label": "bernoulli"}
    models.MVAE.setup_mudata(mdata, spec)
    model = models.MVAE(mdata, **SIZES)
    model.is_trained = True  # random weights will do
    with pytest.raises(ConfigError, match=r"Several modalities have text \('text', 'label'\)"):
        model.query_text("monocyte")
    assert len(model.query_text("monocyte", modality="label")) == mdata.n_obs


def test_an_embedding_made_elsewhere_is_asked_with_its_encoder(cells):
    mdata = cells.copy()
    notes = [text if isinstance(text, str) else "" for text in mdata.obs["note"]]
    vectors = count_kinds(notes)
    vectors[[not note for note in notes]] = np.nan
    ho.pp.embed_modality(mdata, vectors, name="note vectors")
    models.MVAE.setup_mudata(mdata, {"rna": "nb", "note vectors": "normal"})
    model = models.MVAE(mdata, **SIZES)
    model.is_trained = True  # random weights will do
    found = model.query_text("monocyte", modality="note vectors", encoder=count_kinds)
    assert found["score"].between(-1, 1).all()
    with pytest.raises(DataContractError, match=r"shape \(1, 5\)\. Received"):
        model.query_text("x", modality="note vectors", encoder=lambda t: np.ones((len(t), 3)))


def test_systems_that_do_not_predict_text_say_so(cells):
    mdata = cells[cells.obs["note"].notna()].copy()
    ho.pp.add_text_modality(mdata, "note")
    models.CVAE.setup_mudata(mdata, {"rna": "nb", "text": "bernoulli"})
    model = models.CVAE(mdata, **SIZES)
    model.is_trained = True  # random weights will do
    with pytest.raises(ConfigError, match="CVAE generates rna given text, and does not predict"):
        model.query_text("monocyte")
    assert model.generate("rna", text="monocyte", seed=0).n_obs == 1


def test_features_that_are_not_the_encoders(cells):
    mdata = cells.copy()
    ho.pp.add_text_modality(mdata, "note")
    mdata["text"].var_names = [f"word_{i}" for i in range(mdata["text"].n_vars)]
    models.MVAE.setup_mudata(mdata, {"rna": "nb", "text": "bernoulli"})
    with pytest.raises(DataContractError, match="must be features of its encoder"):
        models.MVAE(mdata, **SIZES).query_text("monocyte")


def test_a_store_on_disk_keeps_how_texts_are_read(cells, tmp_path):
    mdata = cells.copy()
    ho.pp.add_text_modality(mdata, "note")
    spec = {"rna": "nb", "text": "bernoulli"}
    ho.data.write_store(mdata, tmp_path / "store", spec)
    store = ho.data.open_store(tmp_path / "store")
    model = models.HZAUVAE(store, **SIZES)
    model.is_trained = True  # random weights will do
    record = store.layout.modality("text").text
    assert json.loads(json.dumps(record)) == record
    assert len(model.query_text("monocyte")) == mdata.n_obs
