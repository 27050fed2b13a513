"""Predicted labels of held-out cells are compared with given ones, and novel cells counted."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import hzau_omics as ho
from hzau_omics.data import CategoricalLayout
from hzau_omics.report.label_accuracy import compared
from hzau_omics.report.parts import labels as module
from hzau_omics.report.predicted_labels import predicted
from hzau_omics.report.subject import Subject, flat

GIVEN = ["B", "B", "T", "T", "unknown", None, "T", "B", "new"]
PREDICTED = ["B", "T", "T", "unknown", "T", "T", "T", "B", "B"]


@pytest.fixture
def subject() -> Any:
    names = [f"c{i}" for i in range(len(GIVEN))]

    def predict(_store: Any, *, indices: np.ndarray, soft: bool) -> pd.DataFrame:
        chosen = np.array(names)[indices]
        if soft:
            return pd.DataFrame({"unknown": 0.4}, index=chosen)
        return pd.DataFrame({"label": np.array(PREDICTED)[indices], "probability": 0.95}, chosen)

    given = pd.Series(GIVEN, index=names, dtype="category")
    labels = CategoricalLayout("cell_type", ("B", "T", "platelet", "unknown"))
    layout = SimpleNamespace(labels=labels)
    return SimpleNamespace(
        model=SimpleNamespace(predict_labels=predict),
        store=SimpleNamespace(layout=layout),
        held_out=np.arange(len(GIVEN)),
        layout=layout,
        some=lambda cells, _most: cells,
        label_of=lambda cells: given.iloc[cells],
    )


def test_cells_without_a_known_label_do_not_count(subject: Any) -> None:
    found = compared(subject)
    assert found is not None
    assert found.n == 6
    assert found.accuracy == pytest.approx(4 / 6)
    assert found.n_undecided == 1
    assert found.counts.loc["B"].to_dict() == {"B": 2, "T": 1, "undecided": 0}
    assert found.counts.loc["T"].to_dict() == {"B": 0, "T": 2, "undecided": 1}
    assert found.by_label["given theirs"].tolist() == pytest.approx([2 / 3, 2 / 3])
    assert (found.absent, found.n_unknown, found.n_new) == (["platelet"], 1, 1)
    text = " ".join(module.words(found, "new cells", calibrated=False))
    assert "There are no new cells with 'platelet'" in text
    assert "1 new cells with the label 'unknown' are left out" in text


def test_there_is_nothing_to_compare_without_labels(subject: Any) -> None:
    subject.label_of = lambda _cells: None
    assert compared(subject) is None


def test_a_label_that_is_called_unknown_is_no_undecided_cell(subject: Any) -> None:
    calls = pd.DataFrame(
        {"label": ["B", "unknown", "unknown"], "probability": 0.9}, ["c0", "c1", "c3"]
    )

    def predict(_store: Any, *, indices: np.ndarray, soft: bool) -> pd.DataFrame:
        if soft:
            return pd.DataFrame({"unknown": [0.1, 0.9]}, calls.index[1:])
        assert len(indices) == 3
        return calls

    model = SimpleNamespace(predict_labels=predict)
    found = predicted(model, subject.store, np.arange(3))["label"]
    assert found.fillna("undecided").tolist() == ["B", "undecided", "unknown"]


@pytest.mark.parametrize(
    ("accuracy", "common", "n", "warned"),
    [
        (0.35, 0.3, 100, True),
        (0.25, 0.3, 100, True),
        (0.8, 0.3, 100, False),
        (0.93, 0.92, 100, False),
        (0.35, 0.3, 10, False),
    ],
)
def test_labels_that_are_hardly_told_apart_are_warned_of(
    accuracy: float, common: float, n: int, *, warned: bool
) -> None:
    text = module.doubt("held-out cells", accuracy, common, n)
    assert text.startswith("The model hardly tells the labels apart") == warned
    assert bool(text) == warned


def test_histograms_of_calibration_cells_are_said_to_be_flat(subject: Any) -> None:
    subject.n_calibration = 0
    assert flat(subject, "p-values") == ""
    subject.n_calibration = 4
    assert "4 of the 9 held-out cells, so that the histogram of these is flat" in flat(
        subject, "p-values"
    )


def test_some_cells_are_drawn_with_the_seed() -> None:
    mdata = ho.data.simulate(n_obs=60, seed=0)
    ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    store = ho.model.HZAUVAE(mdata, n_latent=3, n_hidden=8)._store
    one, other = (
        Subject(model=None, store=store, held_out=np.arange(0), n_cells=20, seed=seed)
        for seed in (0, 1)
    )
    assert len(set(one.cells)) == 20
    assert (np.diff(one.cells) > 0).all()
    assert not np.array_equal(one.cells, other.cells)
    assert np.array_equal(one.some(np.arange(60), 20), one.cells)
