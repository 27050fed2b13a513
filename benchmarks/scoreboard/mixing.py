"""How evenly batches lie among each other in an embedding, and whether cell types stay apart."""

from importlib.util import find_spec

import numpy as np

from benchmarks.common.scores import NEIGHBOURS
from benchmarks.integration.neighbours import nearest, share_elsewhere
from benchmarks.scoreboard.figures import Figures
from hzau_omics.metrics import cross_validated_knn_accuracy


def other_batch_share(
    latent: np.ndarray, batch: np.ndarray, chosen: np.ndarray | None = None
) -> tuple[float, float]:
    """Return the share of a cell's 15 nearest neighbours in other batches, and the even share.

    Parameters
    ----------
    latent
        Embedding (cell, dimension).
    batch
        Batch of each cell.
    chosen
        Cells whose neighbours are looked at; None for all.
    """
    return share_elsewhere(nearest(latent), batch, chosen)


def add_mixing(figures: Figures, prefix: str, latent: np.ndarray, batch: np.ndarray) -> None:
    """Add iLISI and the share of neighbours in other batches."""
    claim = f"{prefix}: neighbours of other batches"
    figures.values[claim], figures.beside[claim] = other_batch_share(latent, batch)
    if find_spec("scib_metrics") is None:
        figures.skipped[f"{prefix}: iLISI"] = "needs the extra 'metrics'"
        return
    from benchmarks.integration.scib import ilisi

    figures.values[f"{prefix}: iLISI"] = ilisi(latent, batch)


def type_accuracy(latent: np.ndarray, labels: np.ndarray) -> float:
    """Return the share of cells whose type most of their 15 nearest neighbours have.

    Cells without a label ("") are left out; neighbours are of other folds than the cell.
    """
    known = labels != ""
    return cross_validated_knn_accuracy(latent[known], labels[known], k=NEIGHBOURS)
