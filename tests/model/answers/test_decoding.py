import functools
import operator

import numpy as np
import pytest

from hzau_omics.data import CategoricalLayout, DataLayout, ModalityLayout, ModalitySpec
from hzau_omics.errors import DataContractError
from hzau_omics.model.answers.decoding import batch_codes, decode_groups

ROWS = {"measured": [True, False, True], "all": [True, True, True]}


def _layout(panel=None, measured="measured"):
    adt = ModalityLayout(
        name="adt",
        spec=ModalitySpec(likelihood="nb"),
        var_names=("p0", "p1", "p2", "p3"),
        panel=None if panel is None else np.array(panel, dtype=bool),
        measured=np.array(ROWS[measured]),
    )
    return DataLayout(modalities=(adt,), batch=CategoricalLayout("batch", ("a", "b", "c")))


def _plain(groups):
    return [(None if g.features is None else g.features.tolist(), list(g.batches)) for g in groups]


def test_a_batch_is_decoded_as_itself_or_as_the_batches_that_measured():
    assert _plain(decode_groups(_layout(), "adt", 0, None)) == [(None, [0])]
    assert _plain(decode_groups(_layout(), "adt", 1, None)) == [(None, [0, 2])]


def test_each_feature_is_decoded_as_the_batches_that_measured_it():
    panel = [[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]]
    found = _plain(decode_groups(_layout(panel, "all"), "adt", 1, None))
    # No batch measured p3: it is averaged over all batches that have the modality.
    assert sorted(found) == [([0], [1]), ([1], [0, 2]), ([2], [2]), ([3], [0, 1, 2])]
    assert _plain(decode_groups(_layout(panel, "all"), "adt", 2, None)) == [
        ([0, 1, 2], [2]),
        ([3], [0, 1, 2]),
    ]


def test_the_panel_of_a_batch_without_the_modality_does_not_count():
    panel = [[1, 1, 0, 0], [1, 1, 1, 1], [1, 1, 1, 0]]
    features = [f for f, _ in _plain(decode_groups(_layout(panel), "adt", 1, None))]
    batches = dict(
        zip(map(tuple, features), decode_groups(_layout(panel), "adt", 1, None), strict=False)
    )
    assert sorted(functools.reduce(operator.iadd, features, [])) == [0, 1, 2, 3]
    assert batches[0, 1].batches == (0, 2)
    assert batches[2,].batches == (2,)
    assert batches[3,].batches == (0, 2)


def test_every_feature_is_decoded_once():
    rng = np.random.default_rng(0)
    for _ in range(20):
        layout = _layout(rng.random((3, 4)) < 0.5)
        for batch in range(3):
            groups = decode_groups(layout, "adt", batch, None)
            features = np.concatenate([g.features for g in groups])
            assert sorted(features) == [0, 1, 2, 3]
            assert all(g.batches for g in groups)


def test_transform_batch_overrides_everything():
    layout = _layout([[1, 1, 0, 0], [1, 0, 0, 0], [1, 1, 1, 0]])
    assert _plain(decode_groups(layout, "adt", 0, ["b"])) == [(None, [1])]
    assert _plain(decode_groups(layout, "adt", 0, ["c", "a"])) == [(None, [2, 0])]


@pytest.mark.parametrize("names", ["d", ["a", "d"], []])
def test_unknown_batches_are_refused(names):
    with pytest.raises(DataContractError, match=r"trained on. Received .*known: \['a', 'b', 'c'\]"):
        batch_codes(_layout(), names)
