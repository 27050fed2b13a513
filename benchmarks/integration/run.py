"""Embeddings of all cells, and the metrics of each."""

import argparse
import logging
import time
from collections.abc import Mapping
from typing import Any

import mudata
import numpy as np
import pandas as pd

from benchmarks.integration.data import choose_likelihoods
from benchmarks.integration.embeddings import embed_ours, embed_pca
from benchmarks.integration.scib import integration_metrics

_logger = logging.getLogger("benchmarks")
OURS, PCA = "X_hzau", "PCA"


def embeddings(
    mdata: mudata.MuData, args: argparse.Namespace, *, cls: Any = None
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Embed all cells with each method; also the seconds and epochs."""
    found: dict[str, np.ndarray] = {}
    record: dict[str, Any] = {}
    if not args.only_pca:
        likelihoods = choose_likelihoods(args.modality, list(mdata.mod))
        train_kwargs = {} if args.max_epochs is None else {"max_epochs": args.max_epochs}
        start = time.perf_counter()
        found[OURS], model = embed_ours(
            mdata,
            modalities=likelihoods,
            batch_key=args.batch_key,
            seed=args.seed,
            train_kwargs=train_kwargs,
            cls=cls,
        )
        record[OURS] = {
            "seconds": time.perf_counter() - start,
            "likelihoods": likelihoods,
            "epochs": len(model.history["elbo_train"]),
            "train_kwargs": train_kwargs,
        }
        _logger.info("HZAU-VAE: %.0f s", record[OURS]["seconds"])
    start = time.perf_counter()
    found[PCA] = embed_pca(mdata, modality=args.pca_modality, seed=args.seed)
    record[PCA] = {"seconds": time.perf_counter() - start, "modality": args.pca_modality}
    return found, record


def metric_table(
    found: Mapping[str, np.ndarray], labels: np.ndarray, batch: np.ndarray, *, seed: int
) -> pd.DataFrame:
    """Compute the metrics of every embedding in one long table with a column ``embedding``."""
    tables = []
    for name, x in found.items():
        start = time.perf_counter()
        tables.append(integration_metrics(x, labels, batch, seed=seed).assign(embedding=name))
        _logger.info("metrics of %s: %.0f s", name, time.perf_counter() - start)
    return pd.concat(tables, ignore_index=True)
