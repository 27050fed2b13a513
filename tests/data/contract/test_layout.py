import json

import numpy as np
import pytest
from hypothesis import given, strategies as st

from hzau_omics.data.contract.layout import (
    NO_BATCH,
    CategoricalLayout,
    ContinuousLayout,
    DataLayout,
    ModalityLayout,
)
from hzau_omics.data.contract.spec import ModalitySpec
from hzau_omics.errors import DataContractError

names = st.lists(st.text(max_size=5), min_size=1, max_size=4, unique=True).map(tuple)
finite = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def layouts(draw):
    batches = draw(names)
    modalities = []
    for name in draw(names):
        features = draw(names)
        flags = st.lists(
            st.booleans(),
            min_size=len(batches) * len(features),
            max_size=len(batches) * len(features),
        )
        panel = draw(st.none() | flags)
        modalities.append(
            ModalityLayout(
                name=name,
                spec=draw(
                    st.sampled_from(
                        [
                            ModalitySpec(likelihood="nb"),
                            ModalitySpec(likelihood="normal", layer="l"),
                        ]
                    )
                ),
                var_names=features,
                panel=None if panel is None else np.reshape(panel, (len(batches), len(features))),
                measured=np.array(draw(flags))[: len(batches)],
            )
        )
    return DataLayout(
        modalities=tuple(modalities),
        batch=CategoricalLayout("batch", batches),
        categorical_covariates=(CategoricalLayout("donor", draw(names)),),
        continuous_covariates=(ContinuousLayout("age", draw(finite), draw(finite)),),
        labels=draw(st.none() | st.just(CategoricalLayout("type", ("a", "b")))),
        panel_key=draw(st.none() | st.just("measured")),
    )


@given(layouts())
def test_json_round_trip_restores_equality(layout):
    restored = DataLayout.from_dict(json.loads(json.dumps(layout.to_dict())))
    assert restored == layout
    assert hash(restored) == hash(layout)


def _modality(**changes):
    values = {
        "name": "rna",
        "spec": ModalitySpec(likelihood="nb"),
        "var_names": ("a", "b"),
        "panel": np.array([[True, False]]),
        "measured": np.array([True]),
    }
    return ModalityLayout(**(values | changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "adt"},
        {"spec": ModalitySpec(likelihood="zinb")},
        {"var_names": ("b", "a")},
        {"panel": np.array([[True, True]])},
        {"panel": None},
        {"measured": np.array([False])},
    ],
)
def test_any_difference_breaks_equality(changes):
    assert _modality() == _modality()
    assert _modality() != _modality(**changes)
    assert _modality() != "rna"


def test_lookup_by_name():
    layout = DataLayout((_modality(),))
    assert layout.modality("rna").n_features == 2
    assert layout.batch is NO_BATCH
    assert layout.n_batches == 1
    with pytest.raises(DataContractError, match=r"'adt' is not registered. Registered: rna"):
        layout.modality("adt")


@pytest.mark.parametrize("record", [{}, {"format": 99}, None, "text"])
def test_a_record_of_another_format_is_refused(record):
    with pytest.raises(DataContractError, match="A data layout must have format 1"):
        DataLayout.from_dict(record)


@pytest.mark.parametrize(
    "damage", [{"batch": {}}, {"modalities": [{"name": "rna"}]}, {"labels": "text"}]
)
def test_a_damaged_record_is_refused(damage):
    record = DataLayout((_modality(),)).to_dict() | damage
    with pytest.raises(DataContractError, match="incomplete or damaged"):
        DataLayout.from_dict(record)


def test_values_that_mean_no_label_are_kept_and_layouts_without_them_open():
    labels = CategoricalLayout("kind", ("B",), unlabeled=("unknown", "NA"))
    record = json.loads(json.dumps(labels.to_dict()))
    assert CategoricalLayout.from_dict(record).unlabeled == ("unknown", "NA")
    del record["unlabeled"]
    former = CategoricalLayout.from_dict(record)
    assert former.unlabeled == ()
    assert former == labels
    assert former.to_dict() == record
