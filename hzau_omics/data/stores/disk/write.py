"""Writing MuData, one or many, into one store on disk."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, override

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData

from hzau_omics.checks import as_list, check_flag
from hzau_omics.data.contract.columns.obs import continuous_values
from hzau_omics.data.contract.register import register
from hzau_omics.data.contract.spec import ModalitySpec, resolve_specs
from hzau_omics.data.pitfalls.survey import Survey
from hzau_omics.data.stores.disk.fingerprint import Fingerprint
from hzau_omics.data.stores.disk.folders import FolderWriter, NewFolder, check_replaceable
from hzau_omics.data.stores.disk.large import consolidate, require_large
from hzau_omics.data.stores.disk.manifest import MANIFEST, Manifest, files_of
from hzau_omics.data.stores.disk.merge import LayoutMerger
from hzau_omics.data.stores.disk.obs_to_store import model_columns, stored_obs
from hzau_omics.data.stores.disk.piece import write_piece
from hzau_omics.data.stores.disk.sources import Source, Wanted, open_source
from hzau_omics.data.stores.disk.values_to_store import StoredValues
from hzau_omics.data.stores.memory import stack_columns
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.processes import writes_files

PIECE_SIZE = 131_072
"""Cells of a MuData that are brought into one matrix at a time."""


class StoreWriter(FolderWriter):
    """Write MuData one after another into a new store, which appears once all are written.

    Every piece is checked as at set-up. A piece may lack modalities. The features of a modality are
    the same in all pieces and are matched by name. Cells keep their order.

    Parameters
    ----------
    path
        Folder to create, by custom with the suffix ``.zarr``.
    modalities, layers, batch_key, labels_key, categorical_covariate_keys
        As in ``setup_mudata``.
    unlabeled_category, continuous_covariate_keys, panel_key
        As in ``setup_mudata``.
    overwrite
        Whether to replace a store of this name. Anything else is never replaced.

    Raises
    ------
    ConfigError
        The folder exists, an option is unknown, or the extra ``[large]`` is not installed.

    Examples
    --------
    >>> import tempfile, hzau_omics as ho
    >>> folder = tempfile.mkdtemp()
    >>> with ho.data.StoreWriter(f"{folder}/cells.zarr", {"rna": "nb", "adt": "nb"}) as writer:
    ...     for i in range(3):
    ...         piece = ho.data.simulate(40, seed=i)
    ...         piece.obs_names = [f"sample{i}_{name}" for name in piece.obs_names]
    ...         for adata in piece.mod.values():
    ...             adata.obs_names = piece.obs_names
    ...         writer.append(piece)
    >>> ho.data.open_store(f"{folder}/cells.zarr").n_cells
    120
    """

    def __init__(
        self,
        path: str | Path,
        modalities: Mapping[str, str | ModalitySpec],
        *,
        layers: Mapping[str, str | None] | None = None,
        batch_key: str | None = None,
        panel_key: str | None = None,
        categorical_covariate_keys: str | Sequence[str] | None = None,
        continuous_covariate_keys: str | Sequence[str] | None = None,
        labels_key: str | None = None,
        unlabeled_category: str | float | Sequence[str | float] | None = None,
        overwrite: bool = False,
    ) -> None:
        require_large()
        import zarr

        self.path = Path(path)
        self._specs = resolve_specs(modalities, layers)
        self._keys: dict[str, Any] = {
            "batch_key": batch_key,
            "panel_key": panel_key,
            "categorical_covariate_keys": categorical_covariate_keys,
            "continuous_covariate_keys": continuous_covariate_keys,
            "labels_key": labels_key,
            "unlabeled_category": unlabeled_category,
        }
        self._overwrite = check_flag("overwrite", overwrite)
        _check_target(self.path, overwrite=self._overwrite)
        super().__init__(NewFolder(self.path, "store"))
        with self._folder.writing():
            self._group = zarr.open_group(self._folder.partial, mode="w", zarr_format=3)
        self._merger = LayoutMerger(self._specs)
        self._survey = Survey()
        self._fingerprint = Fingerprint()
        self._dense: set[str] = set()
        self._pieces: list[int] = []
        self._names = np.empty(0, dtype=np.uint64)
        self._state = "open"

    def append(self, cells: MuData | str | Path) -> None:
        """Check cells and write them after those written before.

        Parameters
        ----------
        cells
            A MuData, or an ``.h5mu`` file, from which only what is registered is read, block by
            block. Columns of ``obs`` that a store cannot hold (dates, for example) are left out
            with a warning, unless they are registered.

        Raises
        ------
        DataContractError
            The data break a rule (see ``setup_mudata``), do not fit the pieces before, or repeat
            the name of a cell. The store is then removed, since it would be incomplete.
        OSError
            The disk is full. The store is then removed, too.
        """
        self._check_open()
        self._state = "failed"
        try:
            with open_source(cells, self._wanted()) as source, self._folder.writing():
                self._append(source)
        except BaseException:
            self._folder.discard()
            raise
        self._state = "open"

    def _wanted(self) -> Wanted:
        keys = [self._keys["batch_key"], self._keys["labels_key"]]
        for several in ("categorical_covariate_keys", "continuous_covariate_keys"):
            given = self._keys[several]
            keys += [] if given is None else as_list(given)
        return Wanted(
            names=tuple(self._specs),
            keys=tuple(key for key in keys if key is not None),
            panels=self._keys["panel_key"] is not None,
        )

    def _check_open(self) -> None:
        if self._state != "open":
            state = "was closed" if self._state == "closed" else "has failed"
            msg = (
                f"Only an open StoreWriter can write. The one of {self.path} {state}: create a new "
                "one and write all pieces again."
            )
            raise ConfigError(msg)

    def _append(self, source: Source) -> None:
        mdata = source.mdata
        own = {
            name: spec
            for name, spec in self._specs.items()
            if name in mdata.mod and mdata.mod[name].n_obs > 0
        }
        # A piece without any of the modalities gets the message about a missing modality.
        registered = register(mdata, own or self._specs, **self._keys, is_piece=True)
        self._check_names(mdata.obs_names)
        columns = model_columns(mdata, registered.layout)
        covariates = [
            continuous_values(mdata, c.key) for c in registered.layout.continuous_covariates
        ]
        known = self._merger.add(
            registered.layout, stack_columns(covariates, mdata.n_obs, np.float64)
        )
        values = {m.name: StoredValues(source, registered, m) for m in known.modalities}
        self._dense |= {name for name, own in values.items() if own.is_dense}
        self._survey.add_links(mdata, registered)
        obs, renamed = stored_obs(mdata, registered, columns, self._specs)
        for start in range(0, mdata.n_obs, PIECE_SIZE):
            cells = np.arange(start, min(start + PIECE_SIZE, mdata.n_obs))
            blocks = {name: own.take(cells) for name, own in values.items()}
            part = obs.iloc[cells]
            self._write_piece(blocks, part, renamed)
            self._fingerprint.add(
                part.index,
                {key: column[cells] for key, column in columns.items()},
                {name: (registered.rows[name][cells] >= 0, own) for name, own in blocks.items()},
            )
            for modality in known.modalities:
                present = registered.rows[modality.name][cells] >= 0
                self._survey.add_values(
                    modality,
                    blocks[modality.name][present],
                    cells=part.index[present],
                    codes=registered.codes[cells][present],
                    categories=known.batch.categories,
                )

    @override
    def close(self) -> None:
        """Complete the store: write its manifest and give it its name.

        Raises
        ------
        DataContractError
            Nothing was written, or no piece has one of the modalities.
        """
        self._check_open()
        self._state = "failed"
        super().close()
        self._state = "closed"
        self._survey.warn()

    @override
    def _complete(self) -> None:
        if not self._pieces:
            msg = "A store needs at least one cell. Received none: append a MuData before closing."
            raise DataContractError(msg)
        layout = self._merger.layout()
        columns = _offsets(self._merger.features)
        self._widen_pieces(columns)
        consolidate(self._group)
        Manifest(
            layout=layout,
            pieces=tuple(self._pieces),
            columns=columns,
            dense=frozenset(self._dense),
            files=files_of(self._folder.partial),
            fingerprint=self._fingerprint.result(self._merger.features),
        ).write(self._folder.partial)
        # Another process may have written one in the meantime.
        _check_target(self.path, overwrite=self._overwrite)

    def _check_names(self, names: "pd.Index[str]") -> None:
        """Refuse names that occurred in an earlier piece; 64-bit hashes stand for them."""
        hashes = pd.util.hash_array(np.asarray(names, dtype=object), categorize=False)
        repeated = np.isin(hashes, self._names)
        if repeated.any():
            msg = (
                f"The cell names of a store must be unique; {int(repeated.sum())} of this piece "
                f"occurred in an earlier one, first {names[int(repeated.argmax())]!r}. Put the "
                "sample's name in front of each, in all modalities, and make the MuData again."
            )
            raise DataContractError(msg)
        self._names = np.concatenate([self._names, hashes])

    def _write_piece(
        self, blocks: Mapping[str, sp.csr_array], obs: pd.DataFrame, renamed: Mapping[str, str]
    ) -> None:
        wide = [
            blocks[name]
            if name in blocks
            else sp.csr_array((len(obs), len(features)), dtype=np.float32)
            for name, features in self._merger.features.items()
        ]
        matrix = sp.csr_matrix(sp.hstack(wide, format="csr", dtype=np.float32))
        matrix.sort_indices()
        write_piece(
            self._group,
            f"dataset_{len(self._pieces)}",
            matrix,
            obs=obs,
            renamed=renamed,
            var=_var(self._merger.features),
        )
        self._pieces.append(len(obs))

    def _widen_pieces(self, columns: Mapping[str, tuple[int, int]]) -> None:
        """Widen the pieces that were written before a modality first occurred."""
        from anndata.io import write_elem

        width = max(end for _, end in columns.values())
        for i, n_cells in enumerate(self._pieces):
            group = self._group[f"dataset_{i}"]
            if group["X"].attrs["shape"][1] != width:
                group["X"].attrs["shape"] = [n_cells, width]
                write_elem(group, "var", _var(self._merger.features))


def write_store(
    source: MuData | str | Path | Iterable[MuData | str | Path],
    path: str | Path,
    modalities: Mapping[str, str | ModalitySpec],
    **options: Any,
) -> None:
    """Write MuData into a store on disk, from which models train without loading it into memory.

    Parameters
    ----------
    source
        A MuData, an ``.h5mu`` file, or several of them, one after another. From a file only what
        is registered is read, block by block.
    path
        Folder to create, by custom with the suffix ``.zarr``.
    modalities
        Modality name -> likelihood, or a :class:`~hzau_omics.data.ModalitySpec`.
    **options
        As in :class:`StoreWriter`: ``layers``, ``batch_key``, ``overwrite`` and so on.

    Raises
    ------
    ConfigError
        The folder exists, an option is unknown, or the extra ``[large]`` is not installed.
    DataContractError
        The data break a rule (see ``setup_mudata``), or do not fit together.
    OSError
        The disk is full, or a file is missing. A former store stays as it was.

    Examples
    --------
    >>> import tempfile, hzau_omics as ho
    >>> path = tempfile.mkdtemp() + "/cells.zarr"
    >>> ho.data.write_store(ho.data.simulate(60), path, {"rna": "nb", "adt": "nb"})
    >>> ho.data.open_store(path)
    DiskStore of 60 cells: rna (200 features), adt (30 features)
    """
    if not writes_files(str(path)):
        # A launcher runs the script once for each process; only the first one writes.
        return
    sources = [source] if isinstance(source, MuData | AnnData | str | Path) else source
    with StoreWriter(path, modalities, **options) as writer:
        for one in sources:
            writer.append(one)


def _check_target(path: Path, *, overwrite: bool) -> None:
    is_store = (path / MANIFEST).is_file()
    check_replaceable(path, "a store", is_one=is_store, overwrite=overwrite)


def _offsets(features: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[int, int]]:
    columns: dict[str, tuple[int, int]] = {}
    start = 0
    for name, names in features.items():
        columns[name] = (start, start + len(names))
        start += len(names)
    return columns


def _var(features: Mapping[str, tuple[str, ...]]) -> pd.DataFrame:
    """Name every column of a piece by modality and feature: two modalities may share a name."""
    names = [f"{modality}:{name}" for modality, own in features.items() for name in own]
    return pd.DataFrame(index=pd.Index(names))
