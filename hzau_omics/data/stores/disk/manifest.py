"""The manifest of a store on disk; written last, so that an incomplete store has none."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hzau_omics.data.contract.layout import DataLayout
from hzau_omics.errors import DataContractError
from hzau_omics.messages import listed

MANIFEST = "hzau_omics.json"
PARTIAL = ".partial"
FORMER = ".being-replaced"
RESULTS = "obsm"
"""Group of the store that holds results, its only part that changes."""

FORMAT = 1
KIND = "hzau_omics cell store"


@dataclass(frozen=True)
class Manifest:
    """The parts of a store and how to read them.

    Attributes
    ----------
    layout
        Layout that it was written with.
    pieces
        Number of cells of each piece; piece i is the group ``dataset_i``, an AnnData.
    columns
        Modality name -> first column, and column after the last one, in every piece's ``X``.
    dense
        Modalities that were dense, and are read as dense.
    files
        Path of each file, relative to the store -> its size in bytes.
    fingerprint
        Digest of the cells, independent of the pieces they were written in; None in stores that
        were written before fingerprints existed.
    """

    layout: DataLayout
    pieces: tuple[int, ...]
    columns: Mapping[str, tuple[int, int]]
    dense: frozenset[str]
    files: Mapping[str, int]
    fingerprint: str | None = None

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return sum(self.pieces)

    def write(self, folder: Path) -> None:
        """Write the manifest into a store."""
        record = {
            "kind": KIND,
            "format": FORMAT,
            "layout": self.layout.to_dict(),
            "pieces": list(self.pieces),
            "columns": {name: list(ends) for name, ends in self.columns.items()},
            "dense": sorted(self.dense),
            "files": dict(self.files),
            "fingerprint": self.fingerprint,
        }
        (folder / MANIFEST).write_text(json.dumps(record), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> "Manifest":
        """Read the manifest of a store, and check that all its files are complete.

        Raises
        ------
        DataContractError
            If the folder is not a store, is incomplete, or was damaged.
        """
        path = folder / MANIFEST
        if not path.is_file():
            raise _no_store(folder)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError) as error:
            msg = f"{path} is damaged: {error}. {_REMEDY}"
            raise DataContractError(msg) from error
        if not isinstance(record, dict) or record.get("kind") != KIND:
            msg = f"{path} does not describe a store of cells. {_REMEDY}"
            raise DataContractError(msg)
        if record.get("format") != FORMAT:
            msg = (
                f"The store {folder} has format {record.get('format')!r}; this version reads "
                f"format {FORMAT}. Write it again with hzau_omics.data.write_store."
            )
            raise DataContractError(msg)
        manifest = cls._of(record, path)
        _check_files(folder, manifest.files)
        return manifest

    @classmethod
    def _of(cls, record: dict[str, Any], path: Path) -> "Manifest":
        try:
            return cls(
                layout=DataLayout.from_dict(record["layout"]),
                pieces=tuple(int(n) for n in record["pieces"]),
                columns={name: (int(a), int(b)) for name, (a, b) in record["columns"].items()},
                dense=frozenset(record["dense"]),
                files={str(name): int(size) for name, size in record["files"].items()},
                fingerprint=record.get("fingerprint"),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            msg = f"{path} is incomplete or damaged ({error!r}). {_REMEDY}"
            raise DataContractError(msg) from error


_REMEDY = "Restore it from a copy, or write it again with hzau_omics.data.write_store."


def _no_store(folder: Path) -> DataContractError:
    former = folder.with_name(folder.name + FORMER)
    if not folder.exists() and former.is_dir():
        return DataContractError(
            f"The replacement of the store {folder} was interrupted. The former store is "
            f"complete: rename {former} to {folder.name}, or write the new one again."
        )
    if folder.with_name(folder.name + PARTIAL).is_dir() or folder.name.endswith(PARTIAL):
        return DataContractError(
            f"The store {folder} is incomplete: writing it was interrupted. Write it again with "
            "hzau_omics.data.write_store."
        )
    found = "which is not a folder"
    if folder.is_dir():
        found = f"which holds {listed(sorted(path.name for path in folder.iterdir()))}"
    return DataContractError(
        f"A store must be a folder with {MANIFEST}. Received {folder}, {found}. Give "
        "the folder that hzau_omics.data.write_store wrote."
    )


def manifest_stamp(folder: Path) -> tuple[int, int, int] | None:
    """Return what changes when a store's manifest is replaced; None if there is no manifest."""
    try:
        found = (folder / MANIFEST).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def files_of(folder: Path) -> dict[str, int]:
    """Return path -> size of every file of a store, results excluded."""
    return {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and _is_data(path.relative_to(folder))
    }


def _is_data(path: Path) -> bool:
    # Results, and the root metadata that change with them, are left out.
    return path.parts[0].startswith("dataset_")


def _check_files(folder: Path, files: Mapping[str, int]) -> None:
    for name, size in files.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            state = "is missing" if found is None else f"has {found:,} of {size:,} bytes"
            msg = f"The store {folder} is damaged: its file {name} {state}. {_REMEDY}"
            raise DataContractError(msg)
