"""Metrics of scib-metrics on one embedding: label conservation and batch mixing, all in [0, 1].

Higher is better for every metric. Labels: NMI and ARI of Leiden and of k-means clusters, isolated
labels, label silhouette, cLISI. Batch: BRAS (a silhouette that nested batches do not fool), batch
silhouette, iLISI, kBET, graph connectivity. The totals are plain means; ``total`` is 0.6 label +
0.4 batch, as in scIB.
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
BATCH_METRICS = ("BRAS", "silhouette batch", "iLISI", "kBET", "graph connectivity")


def _metric_calls(
    x: np.ndarray, labels: np.ndarray, batch: np.ndarray, *, n_neighbors: int, seed: int
) -> list[Callable[[], dict[str, float]]]:
    import scib_metrics as scib

    near = _neighbours(x, n_neighbors, seed)
    # The sizes that scib-metrics' own benchmark uses: 15 for graphs, 50 for kBET, 90 for LISI.
    graph, middle = (near.subset_neighbors(n=min(n, near.n_neighbors)) for n in (15, 50))

    def leiden() -> dict[str, float]:
        r = scib.nmi_ari_cluster_labels_leiden(graph, labels, seed=seed)
        return {"leiden NMI": r["nmi"], "leiden ARI": r["ari"]}

    def kmeans() -> dict[str, float]:
        r = scib.nmi_ari_cluster_labels_kmeans(x, labels)
        return {"k-means NMI": r["nmi"], "k-means ARI": r["ari"]}

    return [
        leiden,
        kmeans,
        lambda: {"isolated labels": scib.isolated_labels(x, labels, batch)},
        lambda: {"silhouette label": scib.silhouette_label(x, labels)},
        lambda: {"cLISI": scib.clisi_knn(near, labels)},
        lambda: {"BRAS": scib.bras(x, labels, batch)},
        lambda: {"silhouette batch": scib.silhouette_batch(x, labels, batch)},
        lambda: {"iLISI": scib.ilisi_knn(near, batch)},
        lambda: {"kBET": scib.kbet_per_label(middle, batch, labels)},
        lambda: {"graph connectivity": scib.graph_connectivity(graph, labels)},
    ]


def integration_metrics(
    x: np.ndarray,
    labels: np.ndarray,
    batch: np.ndarray,
    *,
    n_neighbors: int = 90,
    seed: int = 0,
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

    Returns
    -------
    Columns ``metric``, ``kind`` (label, batch or total), ``value`` (in [0, 1], higher is better)
    and ``seconds``.
    """
    x = np.ascontiguousarray(x, dtype=np.float32)
    codes = [pd.factorize(np.asarray(v).astype(str), sort=True)[0] for v in (labels, batch)]
    rows = []
    for call in _metric_calls(x, *codes, n_neighbors=n_neighbors, seed=seed):
        start = time.perf_counter()
        values = call()
        seconds = (time.perf_counter() - start) / len(values)
        rows += [{"metric": k, "value": float(v), "seconds": seconds} for k, v in values.items()]
    table = pd.DataFrame(rows)
    table.insert(1, "kind", np.where(table["metric"].isin(LABEL_METRICS), "label", "batch"))
    return pd.concat([table, _totals(table)], ignore_index=True)


def ilisi(x: np.ndarray, batch: np.ndarray, *, n_neighbors: int = 90, seed: int = 0) -> float:
    """Compute iLISI alone: 1 where batches lie evenly among each other, 0 where they lie apart."""
    import scib_metrics as scib

    x = np.ascontiguousarray(x, dtype=np.float32)
    codes = pd.factorize(np.asarray(batch).astype(str), sort=True)[0]
    return float(scib.ilisi_knn(_neighbours(x, n_neighbors, seed), codes))


def _neighbours(x: np.ndarray, n_neighbors: int, seed: int) -> Any:
    from scib_metrics.nearest_neighbors import pynndescent

    return pynndescent(x, n_neighbors=min(n_neighbors, len(x) - 1), random_state=seed)


def _totals(table: pd.DataFrame) -> pd.DataFrame:
    means = table.groupby("kind")["value"].mean()
    totals = {
        "label conservation": means["label"],
        "batch mixing": means["batch"],
        "total": 0.6 * means["label"] + 0.4 * means["batch"],
    }
    return pd.DataFrame({"metric": totals.keys(), "kind": "total", "value": totals.values()})
