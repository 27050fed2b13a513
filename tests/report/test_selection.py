"""The page says so where the model was given selected features only."""

from typing import Any

import pytest

import hzau_omics as ho
from hzau_omics.data import DataLayout
from hzau_omics.report.selection import about_selection, selections


def registered(mdata: Any) -> DataLayout:
    ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    return ho.model.HZAUVAE(mdata, n_latent=3, n_hidden=8).layout


def test_modalities_with_selected_features_are_named() -> None:
    mdata = ho.data.simulate(n_obs=60, seed=0)
    chosen = ho.pp.select_features(mdata, "rna", n_top=10)
    (text,) = about_selection(registered(chosen), selections(None, chosen))
    assert text.startswith("Features were selected before (10 of rna): totals")


@pytest.mark.parametrize("selected", [True, False])
def test_nothing_is_said_of_all_features(*, selected: bool) -> None:
    mdata = ho.data.simulate(n_obs=60, seed=0)
    chosen = ho.pp.select_features(mdata, "rna", n_top=10) if selected else mdata
    assert about_selection(registered(mdata), selections(chosen)) == []
