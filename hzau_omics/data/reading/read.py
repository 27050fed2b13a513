"""Reading a user's own files into a MuData."""

from collections.abc import Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, cast

import pandas as pd
from mudata import MuData

from hzau_omics.checks import if_given, refusal
from hzau_omics.data.reading.cells import cells_of
from hzau_omics.data.reading.files import read_table_file
from hzau_omics.data.reading.part import Part, put_together
from hzau_omics.data.reading.quiet import names_may_repeat
from hzau_omics.data.reading.record import UNS_KEY, Record
from hzau_omics.data.reading.samples import join_samples
from hzau_omics.data.reading.sources import NAME_SAMPLES, Reader, Sources
from hzau_omics.data.reading.tables import add_columns, join_table
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean, listed

type Table = str | PathLike[str] | pd.DataFrame


def read(
    inputs: Sources | Mapping[str, Sources],
    *,
    sample_key: str | None = None,
    tables: Table | Iterable[Table] | None = None,
    genome: str | None = None,
    feature_types: Mapping[str, str | None] | None = None,
) -> MuData:
    """Read files of one or several samples into a MuData that models can be set up with.

    A source is a ``.h5`` file or a matrix folder of Cell Ranger, an ``.h5ad`` or ``.h5mu`` file, an
    AnnData, a MuData, or a table (``.csv``, ``.tsv``, also ``.gz``, or a DataFrame) whose columns
    go to ``obs``. Counts are taken as they are; nothing is filtered or normalised.

    **Modalities.** Features of Cell Ranger are split by type: ``rna``, ``adt``, ``atac``,
    ``crispr``, and others by the type in lower case. An ``.h5ad`` file is split as well if it has
    several types in ``var["feature_types"]``, or is read alone and has one; else its modality is
    the name of the file without suffix. Hashtags become columns ``hashtag_<name>`` of ``obs``.
    ``var["isotype_control"]`` marks isotype controls of protein.

    **Cells** are matched by name. If names of different files agree but for a suffix, a prefix or
    case, they become those of the modality that comes first; if a rule does not tell which cell is
    meant, this is an error. If samples have names in common, all names get their sample in front.

    **Features** of a modality are the union over samples. In samples they are compared by Ensembl
    identifier (genes, if all samples have them), by the name of the antibody without the maker's
    additions (protein), else by name. If samples measured different features, the columns
    ``var["measured_<sample>"]`` say which: set up with ``panel_key="measured"`` and the sample as
    batch. A single MuData is left as it is, but for tables.

    Parameters
    ----------
    inputs
        A source, a mapping from modalities to sources, or a list of either. With `sample_key`, a
        mapping from samples to any of these.
    sample_key
        Name of the column of ``obs`` for the samples.
    tables
        Further tables for all cells, joined by names of cells. With a column named as `sample_key`,
        names are also looked for with the sample in front.
    genome
        The genome to keep, where features are of several.
    feature_types
        Type of features -> name of the modality, None to leave them out. Hashtags of a type that is
        named stay with it.

    Returns
    -------
    mudata.MuData
        New data. ``uns["hzau_reading"]`` is a table of what was done to names, with the columns
        ``modality``, ``what``, ``from``, ``to``, ``n`` (how many a row stands for) and ``reason``;
        a message sums it up.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ConfigError
        If a source is of another kind, a modality is read twice, or an argument does not fit.
    DataContractError
        If a source is empty or broken, features have several genomes or no type, names of cells are
        ambiguous, samples hold the same cells, or a table matches few cells.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> old = ho.data.simulate(60)
    >>> one, two = old[:40].copy(), old[20:].copy()
    >>> mdata = read({"donor1": one, "donor2": two}, sample_key="donor")
    >>> mdata.n_obs, mdata.obs_names[0], list(mdata.obs["donor"].cat.categories)
    (80, 'donor1_cell_0', ['donor1', 'donor2'])
    """
    if_given(_check_key, "sample_key", sample_key)
    record = Record()
    reader = Reader(genome, dict(feature_types or {}), record)
    if sample_key is None:
        _check_no_samples(inputs)
        part = put_together(reader.read(cast("Sources", inputs)), "", record)
    else:
        samples = _check_samples(inputs, sample_key)
        parts = {
            name: put_together(reader.read(sources), name, record)
            for name, sources in samples.items()
        }
        part = join_samples(parts, sample_key, record)
    unknown = [kind for kind in reader.feature_types if kind not in reader.seen]
    if unknown:
        msg = (
            f"feature_types must name types that occur. Received {listed(unknown)}; the files have "
            f"{listed(sorted(reader.seen))}.{did_you_mean(unknown[0], reader.seen)}"
        )
        raise ConfigError(msg)
    for where, table in _tables(tables):
        rows = join_table(table, part.obs.index, where, record, sample_key=sample_key)
        part.obs = add_columns(part.obs, rows, where)
    mdata = _as_mudata(part)
    _note(mdata, record)
    return mdata


def _check_key(name: str, value: Any) -> str:
    if isinstance(value, str) and value:
        return value
    raise refusal(value, name, "the name of a column")


def _check_no_samples(inputs: object) -> None:
    """Refuse samples without the name of their column."""
    several = (list, tuple, Mapping, MuData)
    if isinstance(inputs, Mapping) and any(isinstance(one, several) for one in inputs.values()):
        msg = (
            f"A mapping must lead from modalities to one source each. Received {listed(inputs)} "
            f"with lists, mappings or MuData. If these are samples, name a column: {NAME_SAMPLES}"
        )
        raise ConfigError(msg)


def _check_samples(inputs: object, sample_key: str) -> dict[str, Any]:
    if not isinstance(inputs, Mapping) or not inputs:
        raise refusal(
            inputs,
            "inputs",
            f"a mapping from samples to files, since sample_key={sample_key!r} was given",
            f"Name the samples: {NAME_SAMPLES} Or leave sample_key out.",
        )
    names = [str(name) for name in inputs]
    twice = {name for name in names if names.count(name) > 1}
    if twice or not all(name.strip() for name in names):
        msg = (
            f"Samples must have different names that are not empty. Received {listed(names)}, read "
            "as text. Rename them."
        )
        raise ConfigError(msg)
    return dict(zip(names, inputs.values(), strict=True))


def _tables(tables: Table | Iterable[Table] | None) -> list[tuple[str, pd.DataFrame]]:
    if tables is None:
        return []
    several = [tables] if isinstance(tables, str | PathLike | pd.DataFrame) else list(tables)
    read_ones: list[tuple[str, pd.DataFrame]] = []
    for table in several:
        if isinstance(table, pd.DataFrame):
            read_ones.append(("the table", table))
        elif isinstance(table, str | PathLike):
            read_ones.append((str(table), read_table_file(Path(table))))
        else:
            raise refusal(table, "tables", "paths or DataFrames")
    return read_ones


def _as_mudata(part: Part) -> MuData:
    if part.whole is not None:
        part.whole.obs = part.obs
        return part.whole
    # The same name in two modalities is normal here: a gene and its protein.
    with names_may_repeat():
        # Cells given in advance keep their order; MuData would sort those of a mosaic.
        mdata = MuData(part.mod, obs=pd.DataFrame(index=cells_of(part.mod)))
    mdata.obs = part.obs.loc[mdata.obs_names]
    return mdata


def _note(mdata: MuData, record: Record) -> None:
    """Store the table of what was done, behind that of an earlier reading."""
    table, earlier = record.table(), mdata.uns.get(UNS_KEY)
    if isinstance(earlier, pd.DataFrame) and list(earlier.columns) == list(table.columns):
        table = pd.concat([earlier, table], ignore_index=True)
    mdata.uns[UNS_KEY] = table
    record.tell()
