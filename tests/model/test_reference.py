import numpy as np
import pandas as pd
import pytest
import torch

from hzau_omics.model import HZAUVAE
from hzau_omics.model.answers.embedding import embed
from hzau_omics.model.reference import Reference, best_set, inferable_sets
from hzau_omics.model.training.after.reference import MIN_OF_LABEL, choose_cells


def test_the_reference_holds_posteriors_of_training_cells_and_no_values(model):
    reference = model.reference_
    training = model.train_indices_
    assert list(reference.views) == [("rna",), ("adt",), ("rna", "adt")]
    for given, view in reference.views.items():
        which = reference.having(given)
        session = model._session(None, training[which], None)
        mean, variance = embed(session, given)
        np.testing.assert_allclose(view.posterior.mean.numpy(), mean, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(
            view.posterior.logvar.numpy(), np.log(variance), rtol=2e-3, atol=2e-3
        )
    names = model.adata.obs_names
    found = reference.positions_of(names)
    np.testing.assert_array_equal(np.flatnonzero(found >= 0), training)
    assert reference.positions_of(pd.Index(["none of these"])).tolist() == [-1]
    tensors = reference.to_tensors()
    assert {key.split(".")[-1] for key in tensors} <= {
        "names", "labels", "present", "mean", "logvar", "distances"
    }  # fmt: skip


def test_the_reference_survives_as_tensors(mdata, fit):
    model = fit(mdata, setup={"labels_key": "cell_type"}, train_size=0.7)
    before = model.reference_
    after = Reference.from_tensors(before.to_tensors(), before.modalities)
    assert list(after.views) == list(before.views)
    tensors = after.to_tensors()
    for key, value in before.to_tensors().items():
        assert torch.equal(tensors[key], value), key
    assert Reference.from_tensors({}, before.modalities) is None


def test_training_on_replaces_the_reference(mdata, fit, quick):
    model = fit(mdata)
    before = model.reference_
    model.train(**quick)
    assert model.reference_ is not before
    different = {
        given
        for given, view in model.reference_.views.items()
        if not torch.equal(view.posterior.mean, before.views[given].posterior.mean)
    }
    assert different == set(before.views)


def test_labels_keep_their_shares_and_rare_ones_stay():
    codes = np.repeat([0, 1, 2, -1], [600, 300, 25, 75])
    cells = np.arange(1000) * 2
    found = choose_cells(cells, codes, most=200)
    assert len(found) == 200
    assert (np.diff(found) > 0).all()
    counts = {code: int((codes[found // 2] == code).sum()) for code in (0, 1, 2, -1)}
    assert counts[2] >= MIN_OF_LABEL
    assert counts[0] == pytest.approx(2 * counts[1], rel=0.2)
    np.testing.assert_array_equal(choose_cells(cells, codes, most=200), found)
    np.testing.assert_array_equal(choose_cells(cells, codes), cells)


def test_the_best_set_is_the_largest_with_enough_cells():
    sizes = {("a",): 90, ("b",): 10, ("c",): 0, ("a", "b"): 60, ("a", "b", "c"): 5}
    assert best_set(("a", "b", "c"), sizes, 50) == ("a", "b")
    assert best_set(("b", "c"), sizes, 50) == ("b",)
    assert best_set(("c",), sizes, 50) is None
    assert best_set((), sizes, 50) is None


def test_sets_are_those_that_the_system_infers_from(model):
    assert inferable_sets(model.module) == (("rna",), ("adt",), ("rna", "adt"))


def test_a_copy_without_data_keeps_the_reference(model, query, tmp_path):
    model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model", adata=False, accelerator="cpu")
    pd.testing.assert_frame_equal(loaded.get_novelty(query), model.get_novelty(query))
