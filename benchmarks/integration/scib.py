"""Metrics of scib-metrics on one embedding: label conservation and batch mixing, all in [0, 1].

Higher is better for every metric. Labels: NMI and ARI of Leiden and of k-means clusters, isolated
labels, label silhouette, cLISI. Batch: BRAS (a silhouette that nested batches do not fool), batch
silhouette, iLISI, kBET, graph connectivity, PCR comparison. ``total`` is 0.6 label + 0.4 batch, as
in scIB, of the metrics that scib-metrics' own benchmark takes (:data:`CHOSEN`); ``total of all`` is
the same of all metrics here.
"""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

LABEL_METRICS = (
    "leiden NMI",
    "leiden ARI",
    "k-means NMI",
    "k-means ARI",
    "isolated labels",
    "silhouette label",
    "cLISI",
)
BATCH_METRICS = (
    "BRAS", "silhouette batch", "iLISI", "kBET", "graph connectivity", "PCR comparison",
)  # fmt: skip
CHOSEN = (
    "isolated labels", "k-means NMI", "k-means ARI", "silhouette label", "cLISI",
    "BRAS", "iLISI", "kBET", "graph connectivity", "PCR comparison",
)  # fmt: skip
"""Metrics that scib-metrics' benchmark takes by default."""
TOTALS = ("label conservation", "batch mixing", "total", "total of all")

type Call = Callable[[], dict[str, float]]


def integration_metrics(
    x: np.ndarray,
    labels: np.ndarray,
    batch: np.ndarray,
    *,
    n_neighbors: int = 90,
    seed: int = 0,
    before: np.ndarray | None = None,
) -> pd.DataFrame:
    """Compute all metrics of one embedding.

    Parameters
    ----------
    x
        Embedding, shape (cells, dimensions).
    labels, batch
        Cell type and batch, one per cell.
    n_neighbors
        Neighbours for LISI; the graph metrics use 15 of them and kBET 50.
    seed
        Seed of neighbours and Leiden.
    before
        Embedding of what was integrated, shape (cells, dimensions), to which the PCR comparison
        compares; None leaves it out, also of the totals.

    Returns
    -------
    Columns ``metric``, ``kind`` (label, batch or total), ``value`` (in [0, 1], higher is better)
    and ``seconds``.
    """
    x = np.ascontiguousarray(x, dtype=np.float32)
    labels, batch = _codes(labels), _codes(batch)
    calls = _graph_calls(_neighbours(x, n_neighbors, seed), labels, batch, seed=seed)
    calls += _point_calls(x, labels, batch, before)
    table = _computed(calls)
    return pd.concat([table, _totals(table)], ignore_index=True)


def graph_metrics(
    near: np.ndarray, distances: np.ndarray, labels: np.ndarray, batch: np.ndarray, *, seed: int = 0
) -> pd.DataFrame:
    """Compute the metrics that need neighbours only, of given ones.

    Parameters
    ----------
    near, distances
        Nearest other cells of each cell (cell, neighbour), nearest first, and how far they are.
    labels, batch
        Cell type and batch, one per cell.
    seed
        Seed of Leiden.

    Returns
    -------
    As of :func:`integration_metrics`, without totals.
    """
    from scib_metrics.nearest_neighbors import NeighborsResults

    itself = np.arange(len(near))[:, None]
    results = NeighborsResults(
        indices=np.hstack([itself, near]),
        distances=np.hstack([np.zeros_like(distances[:, :1]), distances]),
    )
    return _computed(_graph_calls(results, _codes(labels), _codes(batch), seed=seed))


def ilisi(x: np.ndarray, batch: np.ndarray, *, n_neighbors: int = 90, seed: int = 0) -> float:
    """Compute iLISI alone: 1 where batches lie evenly among each other, 0 where they lie apart."""
    import scib_metrics as scib

    x = np.ascontiguousarray(x, dtype=np.float32)
    return float(scib.ilisi_knn(_neighbours(x, n_neighbors, seed), _codes(batch)))


def _graph_calls(near: Any, labels: np.ndarray, batch: np.ndarray, *, seed: int) -> list[Call]:
    import scib_metrics as scib

    # The sizes that scib-metrics' own benchmark uses: 15 for graphs, 50 for kBET, 90 for LISI.
    graph, middle = (near.subset_neighbors(n=min(n, near.n_neighbors)) for n in (15, 50))

    def leiden() -> dict[str, float]:
        r = scib.nmi_ari_cluster_labels_leiden(graph, labels, seed=seed)
        return {"leiden NMI": r["nmi"], "leiden ARI": r["ari"]}

    return [
        leiden,
        lambda: {"cLISI": scib.clisi_knn(near, labels)},
        lambda: {"iLISI": scib.ilisi_knn(near, batch)},
        lambda: {"kBET": scib.kbet_per_label(middle, batch, labels)},
        lambda: {"graph connectivity": scib.graph_connectivity(graph, labels)},
    ]


def _point_calls(
    x: np.ndarray, labels: np.ndarray, batch: np.ndarray, before: np.ndarray | None
) -> list[Call]:
    import scib_metrics as scib

    def kmeans() -> dict[str, float]:
        r = scib.nmi_ari_cluster_labels_kmeans(x, labels)
        return {"k-means NMI": r["nmi"], "k-means ARI": r["ari"]}

    calls: list[Call] = [
        kmeans,
        lambda: {"isolated labels": scib.isolated_labels(x, labels, batch)},
        lambda: {"silhouette label": scib.silhouette_label(x, labels)},
        lambda: {"BRAS": scib.bras(x, labels, batch)},
        lambda: {"silhouette batch": scib.silhouette_batch(x, labels, batch)},
    ]
    if before is not None:
        pcr = lambda: {"PCR comparison": scib.pcr_comparison(before, x, batch, categorical=True)}
        calls.append(pcr)
    return calls


def _computed(calls: list[Call]) -> pd.DataFrame:
    rows = []
    for call in calls:
        start = time.perf_counter()
        values = call()
        seconds = (time.perf_counter() - start) / len(values)
        rows += [{"metric": k, "value": float(v), "seconds": seconds} for k, v in values.items()]
    table = pd.DataFrame(rows)
    table.insert(1, "kind", np.where(table["metric"].isin(LABEL_METRICS), "label", "batch"))
    return table


def _codes(names: np.ndarray) -> np.ndarray:
    return pd.factorize(np.asarray(names).astype(str), sort=True)[0]


def _neighbours(x: np.ndarray, n_neighbors: int, seed: int) -> Any:
    from scib_metrics.nearest_neighbors import pynndescent

    return pynndescent(x, n_neighbors=min(n_neighbors, len(x) - 1), random_state=seed)


def _totals(table: pd.DataFrame) -> pd.DataFrame:
    chosen = table[table["metric"].isin(CHOSEN)].groupby("kind")["value"].mean()
    every = table.groupby("kind")["value"].mean()
    values = (
        chosen["label"],
        chosen["batch"],
        0.6 * chosen["label"] + 0.4 * chosen["batch"],
        0.6 * every["label"] + 0.4 * every["batch"],
    )
    return pd.DataFrame({"metric": TOTALS, "kind": "total", "value": values})
