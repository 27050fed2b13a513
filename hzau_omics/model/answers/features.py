"""One modality of all cells as an AnnData with its features, for scanpy and for collaborators."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.checks import as_list, check_distinct, refusal
from hzau_omics.data import CellStore, DataLayout
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.data.contract.matrix import read_matrix, to_rows
from hzau_omics.data.contract.presence import row_order
from hzau_omics.model.answers.draws import PredictiveConfig, expected_values
from hzau_omics.model.answers.imputation import impute, imputed_obs
from hzau_omics.model.answers.neighbours import Neighbours
from hzau_omics.model.session import InferenceSession

COUNTS, IMPUTED, NORMALIZED = LAYERS = ("counts", "imputed", "normalized")
TARGET_SUM = 1e4
"""Total that counts are scaled to before the logarithm, as is usual."""
MEASURED = "measured"


def check_layers(layers: object) -> list[str]:
    """Return names of layers.

    Raises
    ------
    ConfigError
        One is unknown, or occurs twice.
    """
    names = as_list(layers)
    if not all(isinstance(name, str) and name in LAYERS for name in names):
        raise refusal(layers, "layers", f"some of {', '.join(map(repr, LAYERS))}, or ()")
    check_distinct("layers", names)
    return [str(name) for name in names]


def add_features(
    cells: AnnData,
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    layers: Sequence[str],
    features: NDArray[np.int64],
    neighbours: Neighbours | None,
    source: MuData | None,
) -> AnnData:
    """Return cells with the features of a modality.

    Parameters
    ----------
    cells
        The cells of the session, without features.
    session, config, features, neighbours
        As of imputation.
    layers
        Layers to add.
    source
        MuData of the cells, for descriptions of features and for embeddings; None for a store.
    """
    modality = config.modality
    likelihood = session.network.decoder(session.layout.names.index(modality)).likelihood
    normalized = expected_values(session, config, library_size=1.0)[:, features]
    if likelihood.uses_library:
        normalized = normalized * np.float32(TARGET_SUM)
    names = pd.Index(session.layout.modality(modality).var_names)[features]
    table = session.store.feature_table(modality)
    found: dict[str, NDArray[np.generic] | sp.csr_matrix] = {}
    if COUNTS in layers:
        if source is not None and _has_binary(session.layout, modality):
            found[COUNTS] = counts_of(source, session.layout.modality(modality), names)
        else:
            found[COUNTS] = measured_values(session.store, modality, session.cells, features)
    if IMPUTED in layers:
        found[IMPUTED] = impute(
            session, config, quantiles={}, features=features, neighbours=neighbours
        ).X
    if NORMALIZED in layers:
        found[NORMALIZED] = normalized
    if table is not None:
        found[MEASURED] = table[session.store.batch[session.cells]][:, features]
    return AnnData(
        X=np.log1p(normalized) if likelihood.is_count else normalized.copy(),
        obs=pd.concat([cells.obs, imputed_obs(session.store, modality, session.cells)], axis=1),
        var=_var_of(source, modality, names),
        obsm={**_embeddings(source), **cells.obsm},
        layers=found,
        # scanpy asks this entry whether the values are logarithms.
        uns={"log1p": {}} if likelihood.is_count else {},
    )


def are_read_as_binary(layout: DataLayout, modality: str, source: MuData | None) -> bool:
    """Return whether measured values are exported as 0 or 1, as the counts are not at hand."""
    return source is None and _has_binary(layout, modality)


def _has_binary(layout: DataLayout, modality: str) -> bool:
    return layout.modality(modality).spec.binarize


def counts_of(mdata: MuData, modality: ModalityLayout, names: pd.Index) -> sp.csr_matrix:
    """Return the counts of all cells before they are read as 0 or 1 (cell, feature), else 0."""
    shape = (mdata.n_obs, len(names))
    if modality.name not in mdata.mod:
        return sp.csr_matrix(shape, dtype=np.float32)
    adata = mdata.mod[modality.name]
    matrix = to_rows(read_matrix(adata, modality.name, modality.spec.layer))
    own = sp.coo_matrix(sp.csr_matrix(matrix, dtype=np.float32))
    cells, column = row_order(mdata, modality.name), names.get_indexer(adata.var_names)
    kept = column[own.col] >= 0
    where = cells[own.row[kept]], column[own.col[kept]]
    return sp.csr_matrix((own.data[kept], where), shape=shape)


def measured_values(
    store: CellStore, modality: str, cells: NDArray[np.int64], features: NDArray[np.int64]
) -> sp.csr_matrix:
    """Return what was measured (cell, feature), 0 elsewhere."""
    size = max(1, 2**24 // max(store.layout.modality(modality).n_features, 1))
    parts = [
        sp.csr_matrix(batch.observed(modality, None).dense.cpu().numpy()[:, features])
        for batch in store.minibatches(cells, size)
    ]
    if not parts:
        return sp.csr_matrix((0, len(features)), dtype=np.float32)
    return sp.vstack(parts, format="csr")


def _var_of(source: MuData | None, modality: str, names: pd.Index) -> pd.DataFrame:
    """Return what the MuData tells about the features, if it has all of them."""
    if source is not None and modality in source.mod:
        known: pd.DataFrame = source.mod[modality].var
        if known.index.is_unique and names.isin(known.index).all():
            described: pd.DataFrame = known.loc[names].copy()
            return described
    return pd.DataFrame(index=names)


def _embeddings(source: MuData | None) -> dict[str, NDArray[np.generic]]:
    """Return the embeddings of all cells that a MuData holds, such as ``X_umap``."""
    if source is None:
        return {}
    return {key: np.asarray(source.obsm[key]) for key in source.obsm if key.startswith("X_")}
