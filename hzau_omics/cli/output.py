"""What commands share: a clean stdout, results as JSON or a table, and input files."""

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from hzau_omics.errors import DataContractError

if TYPE_CHECKING:
    from mudata import MuData

_REMEDY = (
    "Give an .h5mu file written by MuData.write; an AnnData (.h5ad) becomes one by "
    'mudata.MuData({"rna": adata}).write("cells.h5mu").'
)


@contextmanager
def chatter_on_stderr() -> Iterator[None]:
    """Send what libraries write to stdout, progress bars above all, to stderr."""
    with redirect_stdout(sys.stderr):
        yield


def emit_json(result: Mapping[str, Any]) -> None:
    """Write a result to stdout as one line of JSON; NaN and infinite numbers become null."""
    typer.echo(json.dumps(_plain(result), allow_nan=False))


def emit_table(rows: Sequence[Mapping[Any, Any]], columns: Sequence[str]) -> None:
    """Write rows to stdout as columns separated by tabs, under a header."""
    typer.echo("\t".join(columns))
    for row in rows:
        typer.echo("\t".join(str(_plain(row[column])) for column in columns))


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
        msg = f"no file {path}"
        raise FileNotFoundError(msg)
    import mudata

    try:
        mdata = mudata.read_h5mu(path)
    except Exception as error:
        msg = f"cannot read {path} as a MuData: {error}. {_REMEDY}"
        raise DataContractError(msg) from error
    if not mdata.mod:
        msg = f"{path} holds no modality, so it is no MuData. {_REMEDY}"
        raise DataContractError(msg)
    return mdata


def _plain(value: Any) -> Any:
    """Turn paths, numpy scalars and arrays into what JSON can hold."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
