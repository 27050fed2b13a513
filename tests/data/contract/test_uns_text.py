"""What a layout keeps of how texts became values."""

import json

import anndata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hzau_omics import pp
from hzau_omics.arrays import dense
from hzau_omics.data import DataLayout, MosaicStore, build_layout
from hzau_omics.data.contract.uns_text import text_record
from hzau_omics.text import Ontology, Term, encoder_from_record

ONTOLOGY = Ontology(
    [Term("T:1", "cell"), Term("T:2", "B cell", parents=("T:1",))],
    name="of the layout",
    version="3",
)


def count_letters(texts):
    return np.array([[text.lower().count(x) + 0.1 for x in "bcelt"] for text in texts])


ADDERS = {
    "bag": lambda m: pp.add_text_modality(m, "note", name="text"),
    "sentences": lambda m: pp.add_text_modality(m, "note", name="text", encoder=count_letters),
    "terms": lambda m: pp.add_ontology_modality(
        m, "note", name="text", ontology=ONTOLOGY, encoder=count_letters
    ),
}


@pytest.fixture(params=ADDERS)
def described(request, mosaic):
    """The mosaic with notes as text of some kind."""
    mosaic.obs["note"] = pd.Series(["B cell", None, "cell"] * 4, dtype=object)[
        : mosaic.n_obs
    ].to_numpy()
    ADDERS[request.param](mosaic)
    return mosaic


@pytest.mark.parametrize(
    "uns",
    [
        {},
        {"text": "a note about the experiment"},
        {"text": ["b", "t"]},
        {"text": {"author": "somebody"}},
        {"texts": {"vocabulary": ["b"]}},
    ],
)
def test_what_is_no_record_of_ours_is_none(uns):
    assert text_record(AnnData(np.eye(2), uns=uns)) is None


def test_arrays_and_numpy_scalars_become_plain_values():
    stored = {
        "kind": np.str_("bag"),
        "vocabulary": np.array(["b", "t"], dtype=object),
        "frequency": (np.float32(0.5), 1.0),
        "top": np.int64(5),
        "is_callable": np.bool_(True),
        "sentences": {"n_dimensions": np.int64(3), "model": "m"},
        "nothing": np.array([]),
    }
    record = text_record(AnnData(np.eye(2), uns={"text": stored}))
    assert record == {
        "kind": "bag",
        "vocabulary": ["b", "t"],
        "frequency": [0.5, 1.0],
        "top": 5,
        "is_callable": True,
        "sentences": {"n_dimensions": 3, "model": "m"},
        "nothing": [],
    }
    assert json.loads(json.dumps(record)) == record


def test_a_file_gives_back_the_same_record(described, tmp_path):
    described["text"].write_h5ad(tmp_path / "text.h5ad")
    stored = anndata.read_h5ad(tmp_path / "text.h5ad")
    assert text_record(stored) == text_record(described["text"])
    again, first = (encoder_from_record(a.uns["text"]) for a in (stored, described["text"]))
    assert again.features == first.features
    left, right = (dense(one.encode(["B cell", "cell"])) for one in (again, first))
    np.testing.assert_array_equal(left, right)


def test_layouts_keep_the_record_of_text_modalities_alone(described, modalities):
    likelihood = encoder_from_record(described["text"].uns["text"]).likelihood
    layout = build_layout(described, modalities | {"text": likelihood})
    assert layout.modality("text").text == text_record(described["text"])
    assert [m.name for m in layout.modalities if m.text is not None] == ["text"]
    restored = DataLayout.from_dict(json.loads(json.dumps(layout.to_dict())))
    assert restored == layout
    assert hash(restored) == hash(layout)
    assert restored.modality("text").text == layout.modality("text").text


def test_layouts_that_read_texts_otherwise_differ(described, modalities):
    likelihood = encoder_from_record(described["text"].uns["text"]).likelihood
    layout = build_layout(described, modalities | {"text": likelihood})
    record = json.loads(json.dumps(layout.to_dict()))
    next(m for m in record["modalities"] if m["name"] == "text")["text"]["column"] = "other"
    assert DataLayout.from_dict(record) != layout


def test_records_from_before_there_was_text_are_read(mosaic, modalities):
    layout = build_layout(mosaic, modalities)
    record = layout.to_dict()
    for modality in record["modalities"]:
        del modality["text"]
    assert DataLayout.from_dict(record) == layout
    assert all(m.text is None for m in layout.modalities)


def test_the_record_is_a_copy(described, modalities):
    likelihood = encoder_from_record(described["text"].uns["text"]).likelihood
    layout = build_layout(described, modalities | {"text": likelihood})
    before = json.dumps(layout.to_dict())
    described["text"].uns["text"]["texts"].clear()
    described["text"].uns["text"]["kind"] = "changed"
    layout.to_dict()["modalities"][-1]["text"]["texts"].clear()
    assert json.dumps(layout.to_dict()) == before


def test_values_are_read_as_without_the_record(described, modalities):
    likelihood = encoder_from_record(described["text"].uns["text"]).likelihood
    spec = modalities | {"text": likelihood}
    plain = described.copy()
    del plain["text"].uns["text"]
    stores = [MosaicStore(m, build_layout(m, spec)) for m in (described, plain)]
    left, right = (store.minibatch(np.arange(described.n_obs)).x["text"] for store in stores)
    np.testing.assert_array_equal(np.asarray(left), np.asarray(right))
