"""Results written to AnnData and MuData: one pass over the cells for all of them."""

from collections.abc import Mapping, Sequence, Set as AbstractSet
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data import CellStore, DiskStore, MosaicStore
from hzau_omics.data.contract.presence import row_order
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import listed
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.columns import meaning_of_columns
from hzau_omics.model.answers.draws import select_features
from hzau_omics.model.answers.features import (
    LAYERS,
    TARGET_SUM,
    add_features,
    are_read_as_binary,
    check_layers,
)
from hzau_omics.model.answers.imputation import names_of_layers
from hzau_omics.model.answers.meaning import KEY, of_features, origin
from hzau_omics.model.answers.reading import Annotation, Annotations, annotate
from hzau_omics.model.session import CELLS_HELD, InferenceSession, spans
from hzau_omics.processes import writes_files


class Export(Answers):
    """Results in AnnData and MuData."""

    ANNOTATIONS: ClassVar[frozenset[str]] = frozenset()
    """Names that :meth:`annotate` may write besides the latents; it removes outdated ones."""

    def to_anndata(
        self,
        mdata: Cells = None,
        *,
        modality: str | None = None,
        layers: str | Sequence[str] = LAYERS,
        features: str | Sequence[str] | None = None,
        n_samples: int = 25,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> AnnData:
        """Return all cells as one AnnData, for scanpy, viewers and collaborators.

        Parameters
        ----------
        mdata, batch_size
            As in :meth:`get_latent_representation`.
        modality
            Modality whose features are returned; None for cells without features.
        layers
            Layers to return beside ``X``, one or several; ``()`` for none.
        features
            Feature or features to return, each once; None for all. Values are dense, 4 bytes for
            each cell, feature and layer.
        n_samples, seed
            Draws that expected values are averaged over, and their seed.

        Returns
        -------
        AnnData with ``obs`` as in the MuData, plus ``modalities`` (the measured modalities of each
        cell, such as ``"rna+adt"``), and what :meth:`annotate` writes. With a modality, also its
        features, so that ``scanpy.pl`` and viewers have what to colour cells by:

        - ``X``: the expected expression of every cell, measured or not, on the scale that
          ``scanpy.pl`` draws: log1p of ``"normalized"`` for counts, expected values otherwise.
        - ``layers["counts"]``: what was measured, sparse; 0 in cells without the modality. Counts
          that are read as 0 or 1 (`binarize`) are there as they were, but for those of stores.
        - ``layers["imputed"]``: the predictive mean of :meth:`impute`, in the data's units.
        - ``layers["normalized"]``: as :meth:`get_normalized_expression`, with a total of 10,000 if
          the modality has a library size.
        - ``obs["observed"]`` and ``obs["batch_measured"]``, and with panels the layer
          ``"measured"``, as of :meth:`impute`.

        ``var`` is that of the MuData, and its embeddings (``obsm["X_umap"]``) come along.
        ``uns["hzau"]`` says what ``X``, the layers and our columns hold, and of which version. No
        value is NaN: select ``adata[adata.obs["observed"]]`` for cells that were measured.

        Warnings
        --------
        Do not test ``X`` for differences between groups, see :meth:`get_normalized_expression`:
        test the measured ``layers["counts"]``.

        Raises
        ------
        ConfigError
            A layer is unknown, or `features` are given without a modality.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=60, seed=0)
        >>> ho.model.MVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.MVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> adata = model.to_anndata(modality="adt", layers="counts", seed=0)
        >>> adata.shape, adata.layers["counts"].shape
        ((60, 30), (60, 30))
        """
        wanted = check_layers(layers)
        if modality is None and features is not None:
            msg = (
                f"features are those of a modality. Received features={features!r} without one: "
                f"pass modality= too, one of {', '.join(self._generated)}."
            )
            raise ConfigError(msg)
        config = None
        if modality is not None:
            config = self._predictive(modality, None, n_samples, None, seed)
        session = self._session(mdata, None, batch_size)
        given = self.adata if mdata is None else mdata
        source = given if isinstance(given, MuData) else None
        annotations = annotate(session, self._annotations())
        obs = _obs_of(session.store, source).assign(**self._columns(annotations))
        cells = _to_anndata(obs, session.store, annotations)
        if config is None:
            cells.uns[KEY] = {**origin(self), **meaning_of_columns(cells, self.LATENT_KEY)}
            return cells
        adata = add_features(
            cells,
            session,
            config,
            layers=wanted,
            features=select_features(self.layout, config.modality, features),
            neighbours=self._neighbours(config.modality, wanted=True),
            source=source,
        )
        likelihood = self.module.decoder(self.layout.names.index(config.modality)).likelihood
        said = of_features(
            self,
            config.modality,
            is_count=likelihood.is_count,
            target_sum=TARGET_SUM if likelihood.uses_library else None,
            layers=names_of_layers(adata),
            binarized=are_read_as_binary(self.layout, config.modality, source),
        )
        adata.uns[KEY] = {**said, **meaning_of_columns(adata, self.LATENT_KEY)}
        return adata

    def annotate(self, mdata: Cells = None, *, batch_size: int | None = None) -> None:
        """Write results for each cell into a MuData and into each of its modalities.

        This is the one method that changes a MuData, at the user's request. It writes the latents
        of :meth:`get_latent_representation`, ``obsm["X_hzau"]`` (other systems have other names,
        such as ``"X_mvae"``). HZAU-VAE adds

        - ``obsm["hzau_gate"]``: gate weights of the modalities;
        - ``obsm["hzau_reliability"]``, if it was trained with corrupted measurements, and
          ``obs["hzau_suspicious"]``: the modalities of a cell that are more likely failed than not,
          such as ``"rna"``; empty for most cells;
        - ``obsm["hzau_agreement"]``: p-values of :meth:`get_agreement`, and
          ``obs["hzau_disagreeing"]``: the pairs with a p-value below 0.01, such as
          ``"rna|protein"``.

        Every system adds, from calibration cells and where labels were registered,

        - ``obsm["hzau_novelty"]`` and ``obs["hzau_novelty"]``: p-values of :meth:`get_novelty`;
        - ``obsm["hzau_labels"]``: probabilities of :meth:`predict_labels`, one column per label,
          with ``|`` for ``/`` in its name, and after names that files cannot hold, such as
          ``"_index"`` or that of the index of ``obs``; ``obs["hzau_label"]``, the most likely label
          or ``"unknown"``, and ``obs["hzau_label_probability"]``.

        Results of an earlier model under these names are removed if this one has none. A store on
        disk gets the entries of ``obsm``, some cells at a time.

        Parameters
        ----------
        mdata
            MuData or store to write to; None for the training data.
        batch_size
            As in :meth:`get_latent_representation`.
        """
        source = self._store if mdata is None and self.adata is None else mdata
        if isinstance(source, DiskStore):
            # Read in the model's layout once, not anew for every block of cells.
            session = self._session(source.aligned(self.layout), None, batch_size)
            _annotate_store(source, session, self._annotations(), keys=self.ANNOTATIONS)
            return
        session = self._session(mdata, None, batch_size)
        annotations = annotate(session, self._annotations())
        target = self.adata if mdata is None else mdata
        if isinstance(target, MuData):
            columns = self._columns(annotations)
            _annotate_mudata(target, session.obs_names, annotations, columns, keys=self.ANNOTATIONS)

    def _annotations(self) -> list[Annotation]:
        """Return what goes into ``obsm``; systems add theirs."""
        n_latent = self.module.config.n_latent
        return [Annotation(self.LATENT_KEY, lambda reading: reading.point, n_latent)]

    def _columns(self, annotations: Annotations) -> dict[str, list[Any]]:
        """Return columns of ``obs`` that follow from annotations."""
        return {}


def _patterns(store: CellStore) -> list[str]:
    """Return the measured modalities of each cell, such as ``"rna+adt"``."""
    names = store.layout.names
    return [
        "+".join(name for name, has in zip(names, row, strict=True) if has) for row in store.present
    ]


def _obs_of(store: CellStore, mdata: MuData | None) -> pd.DataFrame:
    """Return ``obs`` of a MuData, with registered columns of its modalities, or of a store."""
    if isinstance(store, DiskStore):
        return store.obs_frame()
    assert isinstance(store, MosaicStore)
    assert mdata is not None
    obs: pd.DataFrame = mdata.obs.copy()
    layout = store.layout
    for column in (layout.batch.key, layout.labels.key if layout.labels else None):
        if column is not None and column not in obs:
            obs[column] = store.obs(column).to_numpy()
    return obs


def _to_anndata(obs: pd.DataFrame, store: CellStore, annotations: Annotations) -> AnnData:
    """Return all cells with annotations in ``obsm``, and no features."""
    patterns = _patterns(store)
    obs["modalities"] = pd.Categorical(patterns, categories=list(dict.fromkeys(patterns)))
    held = {key: _held(value, obs.index.name) for key, value in annotations.items()}
    return AnnData(obs=obs, obsm=held)


def _annotate_mudata(
    mdata: MuData,
    cells: pd.Index,
    annotations: Annotations,
    columns: Mapping[str, list[Any]],
    *,
    keys: AbstractSet[str],
) -> None:
    """Write annotations into a MuData and into each of its modalities.

    Everything is computed before anything is written, so that an error leaves the MuData as it was.

    Parameters
    ----------
    mdata
        MuData to write to.
    cells
        Names of the cells that the annotations describe, in order.
    annotations, columns
        What goes into ``obsm`` and into ``obs``.
    keys
        Names that such annotations may have. An entry under one of them that is not written now
        comes from another model, and is removed.

    Raises
    ------
    DataContractError
        The MuData has other cells, or in another order.
    """
    if not cells.equals(pd.Index(mdata.obs_names)):
        msg = (
            f"The annotations describe {len(cells):,} cells ({listed(cells)}), in this order. "
            f"Received a MuData with {mdata.n_obs:,} ({listed(mdata.obs_names)}), or in another "
            "order. Annotate the MuData that the cells come from."
        )
        raise DataContractError(msg)
    rows = {name: row_order(mdata, name) for name in mdata.mod}
    parts = {
        name: {key: _rows(value, rows[name]) for key, value in annotations.items()} for name in rows
    }
    _write(mdata, annotations, columns, keys)
    for name, of_cells in rows.items():
        own = {key: [column[row] for row in of_cells] for key, column in columns.items()}
        _write(mdata.mod[name], parts[name], own, keys)


def _write(
    target: MuData | AnnData,
    annotations: Annotations,
    columns: Mapping[str, list[Any]],
    keys: AbstractSet[str],
) -> None:
    """Write entries of ``obsm`` and columns of ``obs``, and remove outdated ones."""
    for key in keys - annotations.keys():
        target.obsm.pop(key, None)
    for key, value in annotations.items():
        target.obsm[key] = _held(value, target.obs.index.name)
    for key in keys - columns.keys():
        if key in target.obs:
            del target.obs[key]
    for key, column in columns.items():
        target.obs[key] = column


def _held(
    values: NDArray[np.float32] | pd.DataFrame, index_name: object
) -> NDArray[np.float32] | pd.DataFrame:
    """Return an entry of ``obsm`` for cells whose index has a name, which no column may have."""
    if not isinstance(values, pd.DataFrame) or index_name not in values.columns:
        return values
    name = f"{index_name}|"
    while name in values.columns:
        name += "|"
    return values.rename(columns={index_name: name})


def _rows(
    values: NDArray[np.float32] | pd.DataFrame, rows: NDArray[np.int64]
) -> NDArray[np.float32] | pd.DataFrame:
    return values.iloc[rows] if isinstance(values, pd.DataFrame) else values[rows]


def _annotate_store(
    store: DiskStore,
    session: InferenceSession,
    annotations: Sequence[Annotation],
    *,
    keys: AbstractSet[str],
) -> None:
    """Write annotations into a store on disk, some cells at a time, all results at once.

    `keys` are as in `_annotate_mudata`.
    """
    if not writes_files(f"Annotating {store}"):
        return
    with store.obsm.writer() as writer:
        for cells in spans(len(session), CELLS_HELD):
            written = annotate(replace(session, cells=session.cells[cells]), annotations)
            writer.append(written)
        writer.remove(key for key in keys - written.keys() if key in store.obsm)
