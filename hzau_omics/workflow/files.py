"""Reading and writing that commands share: a MuData, the model, its history, imputed values."""

import warnings
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.errors import DataContractError, HzauWarning
from hzau_omics.files import replacing
from hzau_omics.workflow.writing import LOAD, attempt, names_with_slash

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData
    from mudata import MuData

    from hzau_omics.model import HZAUVAE

MODEL_FOLDER = "model"
HISTORY = "history.csv"

_REMEDY = (
    "Give an .h5mu file; `hzau-omics convert IN --out cells.h5mu` makes one from .h5ad, 10x and "
    "CSV files."
)


def read_mudata(path: Path) -> "MuData":
    """Read an ``.h5mu`` file.

    Raises
    ------
    DataContractError
        If the file cannot be read as a MuData, or holds no modality.
    FileNotFoundError
        If there is no such file.
    """
    if not path.is_file():
        msg = f"there is no file {path}; check the path"
        raise FileNotFoundError(msg)
    from hzau_omics.data.reading.files import read_h5mu_file

    try:
        mdata = read_h5mu_file(path)
    except DataContractError as error:
        msg = f"{error} {_REMEDY}"
        raise DataContractError(msg) from error
    if not mdata.mod:
        msg = f"{path} holds no modality, so it is not a MuData. {_REMEDY}"
        raise DataContractError(msg)
    return mdata


def model_folder(path: Path) -> Path:
    """Return the folder of the model: the given one, or the one that ``train`` wrote in it.

    Raises
    ------
    FileNotFoundError
        If there is no such folder.
    """
    if not path.is_dir():
        msg = f"no model folder {path}; give the --out folder of `hzau-omics train`"
        raise FileNotFoundError(msg)
    inner = path / MODEL_FOLDER
    return inner if inner.is_dir() else path


def join_history(history: Mapping[str, "pd.DataFrame"]) -> "pd.DataFrame":
    """Join the training curves: one row per epoch, one column per curve."""
    import pandas as pd

    curves: dict[Hashable, pd.Series] = {
        name: frame.iloc[:, 0] for name, frame in history.items() if frame.shape[1]
    }
    return pd.DataFrame(curves).rename_axis(index="epoch")


def final_values(history: "pd.DataFrame") -> dict[str, float]:
    """Return the last recorded value of each training curve."""
    recorded = {str(name): curve.dropna() for name, curve in history.items()}
    return {name: float(curve.iloc[-1]) for name, curve in recorded.items() if len(curve)}


def warn_of_names(mdata: "MuData") -> None:
    """Warn before training of column names that cannot be written after it.

    Warns
    -----
    HzauWarning
        There is such a name.
    """
    names = names_with_slash(mdata)
    if names:
        warnings.warn(
            f"An .h5mu file cannot hold names with '/': {', '.join(names)}. The model will be "
            "saved, but not the annotated data. Rename the columns to get both.",
            HzauWarning,
            stacklevel=2,
        )


def save_model(model: "HZAUVAE", folder: Path, *, overwrite: bool) -> Path:
    """Save a model as a folder in the folder of the results, and return its path.

    Raises
    ------
    OSError
        It cannot be written.
    """
    target = folder / MODEL_FOLDER
    with attempt(f"save the model in {target}"):
        model.save(target, overwrite=overwrite)
    return target


def load_model(path: Path, data: Any) -> "HZAUVAE":
    """Load a trained model; see `HZAUVAE.load` for the data.

    Raises
    ------
    FileNotFoundError
        There is no such folder.
    DataContractError
        The folder holds no model, or one that is not trained.
    """
    from hzau_omics.model import HZAUVAE

    folder = model_folder(path)
    model = HZAUVAE.load(folder, data)
    if not model.is_trained_:
        msg = (
            f"A trained model is needed. Received an untrained one in {folder}: train it and save "
            "it again."
        )
        raise DataContractError(msg)
    return model


def write_mudata(
    mdata: "MuData", target: Path, *, saved: Path | None = None, remedy: str = LOAD
) -> None:
    """Write a MuData; a former file stays until the new one is complete.

    Raises
    ------
    OSError
        It cannot be written; the message says why.
    """
    with attempt(f"write {target}", saved=saved, remedy=remedy), replacing(target) as partial:
        mdata.write(partial)


def write_history(
    history: Mapping[str, "pd.DataFrame"], folder: Path, saved: Path, *, remedy: str = LOAD
) -> dict[str, Any]:
    """Write the training curves; return their path, the number of epochs, and the last values.

    Raises
    ------
    OSError
        They cannot be written.
    """
    target = folder / HISTORY
    joined = join_history(history)
    with attempt(f"write {target}", saved=saved, remedy=remedy), replacing(target) as partial:
        joined.to_csv(partial)
    return {"history": target, "epochs": len(joined), **final_values(joined)}


def write_imputed(out: Path, modality: str, imputed: "AnnData", mdata: "MuData") -> None:
    """Write imputed values with the cells' ``obs``: a MuData of one modality, or an AnnData.

    Raises
    ------
    OSError
        If they cannot be written; the message says why.
    """
    import mudata

    from hzau_omics.workflow.exports import complete

    with attempt(f"write {out}"), replacing(out) as partial:
        if out.suffix == ".h5ad":
            complete(imputed, mdata, modality).write_h5ad(partial)
            return
        result = mudata.MuData({modality: imputed})
        for column in mdata.obs.columns.difference(result.obs.columns):
            result.obs[column] = mdata.obs[column].reindex(result.obs_names)
        result.write(partial)
