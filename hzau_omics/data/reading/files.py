"""Which kind of file a path leads to, and reading it with the reader of its kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import h5py
import mudata
import pandas as pd
import scanpy as sc
from anndata import AnnData, read_h5ad
from mudata import MuData

from hzau_omics.data.reading.quiet import names_may_repeat
from hzau_omics.data.reading.table_types import with_types
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import did_you_mean, listed

type Kind = Literal["10x h5", "10x folder", "h5ad", "h5mu", "table"]

KINDS = (
    "a .h5 file of Cell Ranger, a folder with matrix.mtx, an .h5ad or .h5mu file, or a table (.csv "
    "or .tsv, also .gz)"
)
"""What can be read, for messages."""

_TABLES = {".csv": ",", ".tsv": "\t"}


def kind_of(path: Path) -> Kind:
    """Return the kind of a file or folder by its name.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ConfigError
        If it is of another kind.
    DataContractError
        If it is an empty file.
    """
    if not path.exists():
        near = [one.name for one in path.parent.iterdir()] if path.parent.is_dir() else []
        msg = f"There is no file or folder {path}.{did_you_mean(path.name, near)} Check the path."
        raise FileNotFoundError(msg)
    if path.is_dir():
        _matrix_of(path)
        return "10x folder"
    if not path.stat().st_size:
        msg = f"A file must hold data. Received {path} of 0 bytes: copy or download it again."
        raise DataContractError(msg)
    if table_separator(path) is not None:
        return "table"
    kinds: dict[str, Kind] = {".h5": "10x h5", ".h5ad": "h5ad", ".h5mu": "h5mu"}
    if path.suffix not in kinds:
        msg = (
            f"An input must be {KINDS}. Received {path}. Read it with its own reader, and pass the "
            "AnnData: ho.data.read({'rna': adata})."
        )
        raise ConfigError(msg)
    return kinds[path.suffix]


def table_separator(path: Path) -> str | None:
    """Return what separates the columns of a table, None for a file that is none.

    Examples
    --------
    >>> table_separator(Path("notes.csv.gz")), table_separator(Path("rna.h5ad"))
    (',', None)
    """
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return _TABLES.get(name.suffix)


def read_h5ad_file(path: Path) -> AnnData:
    """Read an AnnData into memory.

    Raises
    ------
    DataContractError
        If the file cannot be read as one.
    """
    return _read(path, "an AnnData", lambda: read_h5ad(path))


def read_h5mu_file(path: Path) -> MuData:
    """Read a MuData into memory.

    Raises
    ------
    DataContractError
        If the file cannot be read as one.
    """
    return _read(path, "a MuData", lambda: mudata.read_h5mu(path))


def read_table_file(path: Path) -> pd.DataFrame:
    """Read a table, with the names of cells in one of its columns.

    Only empty values are missing. Texts stay as they are written; columns become numbers or flags
    where nothing is lost.

    Raises
    ------
    ConfigError
        If the file is no table.
    DataContractError
        If it cannot be read as one, or has no row.
    """
    if kind_of(path) != "table":
        msg = f"A table must be a .csv or .tsv file, also .gz. Received {path}."
        raise ConfigError(msg)
    separator = table_separator(path)
    table = _read(
        path,
        "a table",
        # Types that are guessed here would change names and labels: 01, NA, None.
        lambda: pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, na_values=[""]),
    )
    if table.empty:
        msg = f"A table must have rows. Received {path} with {len(table.columns)} columns only."
        raise DataContractError(msg)
    return with_types(pd.DataFrame(table))


def read_tenx_h5(path: Path, genome: str | None) -> AnnData:
    """Read all features of a ``.h5`` file of Cell Ranger; names of features may repeat.

    Raises
    ------
    DataContractError
        If it is no such file, or one of Cell Ranger 2 with several genomes and none is chosen.
    """
    with _opened(path) as file:
        legacy = "matrix" not in file
        genomes = [name for name, group in file.items() if "barcodes" in group] if legacy else []
    if legacy and not genomes:
        msg = (
            f"A .h5 file must be a feature-barcode matrix of Cell Ranger. {path} has no group "
            "'matrix'. An AnnData or a MuData needs the suffix .h5ad or .h5mu."
        )
        raise DataContractError(msg)
    if legacy and len(genomes) > 1 and genome not in genomes:
        raise several_genomes(path, dict.fromkeys(genomes), genome)
    chosen = (genome if genome in genomes else genomes[0]) if legacy else None
    return _read(
        path,
        "a feature-barcode matrix",
        lambda: sc.read_10x_h5(path, genome=chosen, gex_only=False),
    )


def several_genomes(
    where: object, genomes: "dict[str, int | None]", genome: str | None
) -> DataContractError:
    """Return the error of data of several genomes, of which none of those there was chosen."""
    counts = [f"{name} ({n:,} features)" if n is not None else name for name, n in genomes.items()]
    given = "" if genome is None else f", and genome={genome!r}"
    example = next(iter(genomes))
    return DataContractError(
        f"The features must be of one genome. {where} has {', '.join(counts)}{given}. Choose one "
        f"of them: genome={example!r}. Cells of the other one then have few counts: remove them."
    )


def read_tenx_folder(path: Path) -> AnnData:
    """Read all features of a folder of Cell Ranger; names of features may repeat.

    The three files may have a prefix in common, and may lack ``.gz``.

    Raises
    ------
    DataContractError
        If a file is missing, or they do not fit together.
    """
    matrix = _matrix_of(path)
    prefix = matrix.name[: matrix.name.index("matrix.mtx")]
    compressed = matrix.suffix == ".gz"
    legacy = (path / f"{prefix}genes.tsv").is_file()
    tail = ".gz" if compressed and not legacy else ""
    needed = [
        f"{prefix}{'genes' if legacy else 'features'}.tsv{tail}",
        f"{prefix}barcodes.tsv{tail}",
    ]
    missing = [name for name in needed if not (path / name).is_file()]
    if missing:
        msg = (
            f"A folder of Cell Ranger must hold a matrix, features and barcodes. {path} has "
            f"{matrix.name}, but no {' and no '.join(missing)}: copy them there, compressed alike."
        )
        raise DataContractError(msg)
    return _read(
        path,
        "a feature-barcode matrix",
        lambda: sc.read_10x_mtx(
            path, make_unique=False, gex_only=False, prefix=prefix, compressed=compressed
        ),
    )


def _matrix_of(folder: Path) -> Path:
    """Return the matrix in a folder of Cell Ranger."""
    names = sorted(one.name for one in folder.iterdir())
    found = [name for name in names if name.endswith(("matrix.mtx", "matrix.mtx.gz"))]
    if len(found) == 1:
        return folder / found[0]
    if found:
        msg = (
            f"A folder must hold one matrix. {folder} has {listed(found)}: put each into a folder "
            "of its own."
        )
        raise DataContractError(msg)
    inside = [name for name in names if "feature_bc_matrix" in name]
    remedy = (
        f"Give what is in it: {folder / inside[0]}."
        if inside
        else "Give the folder that holds them, or a list of files."
    )
    msg = (
        "A folder must be one of Cell Ranger, with matrix.mtx.gz, features.tsv.gz and "
        f"barcodes.tsv.gz. {folder} holds {listed(names)}. {remedy}"
    )
    raise DataContractError(msg)


def _opened(path: Path) -> Any:
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise _unreadable(path, "an HDF5 file", error) from error


def _read(path: Path, what: str, read: Callable[[], Any]) -> Any:
    """Read a file, without the warnings of names that are put right afterwards."""
    try:
        with names_may_repeat():
            return read()
    except Exception as error:
        raise _unreadable(path, what, error) from error


def _unreadable(path: Path, what: str, error: Exception) -> DataContractError:
    reason = " ".join(str(error).split())[:200] or type(error).__name__
    remedy = "Check that it is complete, and that its name tells its format."
    if isinstance(error, UnicodeDecodeError):
        remedy = "Save it as UTF-8."
    return DataContractError(f"{path} cannot be read as {what}: {reason}. {remedy}")
