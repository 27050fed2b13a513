"""What is compared of imputed modalities, and what is said of it."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hzau_omics.data import ModalitySpec
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.report import held_out
from hzau_omics.report.parts import imputation as module


def layout(panel: Any, measured: Any) -> ModalityLayout:
    names = ("a", "b", "c")
    return ModalityLayout("adt", ModalitySpec("nb"), names, panel, np.asarray(measured))


def compared(*, n: int = 3, of: int = 3, unknown: int = 0, width: float = 1.0) -> held_out.Imputed:
    rng = np.random.default_rng(0)
    values = rng.poisson(5.0, (60, n)).astype(float)
    names = [f"f{i}" for i in range(n)]
    pit = pd.DataFrame(0.5 + (rng.random((60, n)) - 0.5) / width, columns=names).clip(0, 1)
    return held_out.Imputed(
        modality="adt",
        given=("rna",),
        cells=np.arange(60),
        adata=AnnData(values, layers={"log1p_mean": np.log1p(values)}),
        measured=pd.DataFrame(values, columns=names),
        pit=pit,
        pit_cells=np.arange(60),
        n_features=of,
        n_unknown=unknown,
    )


def test_features_that_no_batch_of_the_training_measured_are_not_known() -> None:
    panel = np.array([[True, False, False], [False, True, False], [False, False, True]])
    # The last batch has no training cell with the modality.
    known = held_out.known_features(layout(panel, [True, True, False]))
    assert known.tolist() == [True, True, False]
    assert held_out.known_features(layout(None, [True])).all()
    text = module.words(compared(unknown=2))
    assert "Features that no batch of the training measured are left out (2)" in text


def test_it_is_told_which_features_are_compared() -> None:
    assert "median correlation of 3 features is" in module.words(compared())
    some = module.words(compared(of=4_000))
    assert "of the 3 features of 4,000 with the largest variance is" in some


@pytest.mark.parametrize(("width", "narrow"), [(1.0, False), (0.5, True)])
def test_intervals_that_cover_too_little_are_named_in_the_summary(
    monkeypatch: pytest.MonkeyPatch, width: float, *, narrow: bool
) -> None:
    one = compared(width=width)
    monkeypatch.setattr(module, "impute_held_out", lambda _subject: [one])
    for name in ("_scatter", "_violins", "_table"):
        monkeypatch.setattr(module, name, lambda *_: [])
    subject: Any = SimpleNamespace(
        unseen_words="new cells", n_calibration=0, layout=SimpleNamespace(modalities=())
    )
    section, calibration = module.imputation(subject)
    assert section.finding.startswith("In new cells, adt imputed from rna")
    assert ("they are far too narrow" in section.finding) == narrow
    assert calibration is not None
    assert calibration.pictures[0].caption == "adt from rna."


def test_rare_labels_are_not_drawn() -> None:
    groups = pd.Series(["rare"] * 4 + ["T"] * 5 + ["B"] * 7)
    assert module.groups_to_draw(groups) == ["B", "T"]
