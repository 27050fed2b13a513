"""Pictures take what users have at hand: the model, a MuData, an AnnData, a table."""

from collections.abc import Callable
from typing import Any

import mudata
import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

import hzau_omics as ho
from hzau_omics import pl
from hzau_omics.errors import DataContractError
from hzau_omics.pl.output import figure_of


@pytest.fixture(scope="module")
def mdata() -> mudata.MuData:
    """Cells with all that `annotate` and scanpy write."""
    mdata = ho.data.simulate(40, seed=0, n_features={"rna": 8, "adt": 4}, missing={"adt": 0.4})
    rng = np.random.default_rng(0)
    names = mdata.obs_names
    gate = rng.dirichlet([1, 1], size=40)
    mdata.obsm["X_umap"] = rng.normal(size=(40, 2))
    mdata.obsm["hzau_gate"] = pd.DataFrame(gate, index=names, columns=["rna", "adt"])
    mdata.obsm["hzau_reliability"] = pd.DataFrame(gate, index=names, columns=["rna", "adt"])
    return mdata


@pytest.fixture(scope="module")
def adata(mdata: mudata.MuData) -> AnnData:
    obs = mdata.obs.copy()
    has_adt = mdata.obs_names.isin(mdata["adt"].obs_names)
    obs["modalities"] = pd.Categorical(np.where(has_adt, "rna+adt", "rna"))
    return AnnData(obs=obs, obsm=dict(mdata.obsm))


def drawn(picture: Any) -> bytes:
    """Return the pixels of a picture."""
    figure = figure_of(picture)
    figure.canvas.draw()
    return bytes(figure.canvas.buffer_rgba())


PICTURES: dict[str, tuple[Callable[[Any], Any], Callable[[mudata.MuData], Any]]] = {
    "gate": (
        lambda cells: pl.gate(cells, "cell_type"),
        lambda mdata: pl.gate(mdata.obsm["hzau_gate"], mdata.obs["cell_type"]),
    ),
    "reliability": (
        lambda cells: pl.reliability(cells, "cell_type"),
        lambda mdata: pl.reliability(mdata.obsm["hzau_reliability"], mdata.obs["cell_type"]),
    ),
    "gate_umap": (
        pl.gate_umap,
        lambda mdata: pl.gate_umap(mdata.obsm["X_umap"], mdata.obsm["hzau_gate"]),
    ),
    "pattern_counts": (
        pl.pattern_counts,
        lambda mdata: pl.pattern_counts(
            pd.DataFrame({m: mdata.obs_names.isin(mdata[m].obs_names) for m in ("rna", "adt")})
        ),
    ),
    "umap": (
        lambda cells: pl.umap(cells, color=["cell_type", "batch"]),
        lambda mdata: pl.umap(
            AnnData(obs=mdata.obs, obsm={"X_umap": mdata.obsm["X_umap"]}),
            color=["cell_type", "batch"],
        ),
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_mudata_and_an_anndata_give_the_picture_of_their_tables(
    mdata: mudata.MuData, adata: AnnData, name: str
) -> None:
    of_cells, of_tables = PICTURES[name]
    expected = drawn(of_tables(mdata))
    assert drawn(of_cells(mdata)) == expected
    assert drawn(of_cells(adata)) == expected


def test_patterns_of_a_store(mdata: mudata.MuData) -> None:
    layout = ho.data.build_layout(mdata, {"rna": "nb", "adt": "nb"})
    names = pl.pattern_names(ho.data.MosaicStore(mdata, layout))
    assert names.equals(pl.pattern_names(mdata))


def test_patterns_of_cells_without_any_modality() -> None:
    obs = pd.DataFrame({"modalities": ["rna", "", None]}, index=list("abc"))
    assert pl.pattern_names(AnnData(obs=obs)).tolist() == ["rna", "none", "none"]


def test_weights_are_matched_to_cells_by_name(mdata: mudata.MuData) -> None:
    weights = mdata.obsm["hzau_gate"]
    assert drawn(pl.gate_umap(mdata, weights.iloc[::-1])) == drawn(pl.gate_umap(mdata))
    with pytest.raises(DataContractError, match="lacks 3 of 40 cells"):
        pl.gate_umap(mdata, weights.iloc[3:])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (pl.gate, r"obsm\['hzau_gate'\].*Call model.annotate.*get_gate_weights"),
        (pl.reliability, r"obsm\['hzau_reliability'\].*get_reliability"),
        (lambda a: pl.gate(np.ones((3, 1))), r"Received ndarray of shape \(3, 1\)"),
        (lambda a: pl.gate(pd.DataFrame({"rna": [1.0]}), "type"), r"adata.obs\['type'\]"),
        (pl.pattern_counts, "Received 'modalities'; obs has"),
        (lambda a: pl.pattern_counts([1]), "Received list. For gate weights, pass weights > 0"),
        (lambda a: pl.umap(mudata.MuData({"rna": a}), color="x"), r"model.to_anndata\(\)"),
        (pl.training, "a model or curves by name. Received AnnData"),
    ],
)
def test_what_is_missing_is_named(draw: Callable[[AnnData], Any], message: str) -> None:
    plain = AnnData(np.ones((3, 2)), obs=pd.DataFrame(index=list("abc")))
    with pytest.raises(DataContractError, match=message):
        draw(plain)


def test_training_takes_a_model_its_history_or_the_file_of_the_command_line() -> None:
    history = {"elbo_train": pd.DataFrame({"elbo_train": [3.0, 2.0]})}

    class Model:
        pass

    model = Model()
    model.history = history
    table = pd.DataFrame({"elbo_train": [3.0, 2.0]}, index=pd.Index([0, 1], name="epoch"))
    assert drawn(pl.training(model)) == drawn(pl.training(history)) == drawn(pl.training(table))
    model.history = None
    with pytest.raises(DataContractError, match="an empty history. Train the model first"):  # noqa: RUF043
        pl.training(model)
