"""Which modalities, labels and cells of a file are used."""

import argparse
from collections.abc import Sequence

import mudata
import numpy as np
import pandas as pd

from hzau_omics.errors import ConfigError, DataContractError

_CHROMATIN = ("atac", "peaks")


def choose_likelihoods(given: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Read MODALITY=LIKELIHOOD, or by name: chromatin Bernoulli, everything else negative binomial.

    Raises
    ------
    ConfigError
        If an entry is malformed or names an unknown modality.
    """
    if not given:
        return {n: "bernoulli" if n.lower() in _CHROMATIN else "nb" for n in names}
    chosen = {}
    for entry in given:
        modality, sign, likelihood = entry.partition("=")
        if modality not in names or not sign or not likelihood:
            message = (
                f"--modality takes MODALITY=LIKELIHOOD with a modality of the file "
                f"({', '.join(names)}), for example rna=nb; it got {entry!r}."
            )
            raise ConfigError(message)
        chosen[modality] = likelihood
    return chosen


def scored_cells(labels: pd.Series, drop: Sequence[str], max_cells: int, seed: int) -> np.ndarray:
    """Row numbers of cells with a known label, at most ``max_cells`` (0: all) of them at random.

    Raises
    ------
    DataContractError
        If no cell is left.
    """
    known = np.flatnonzero(labels.notna() & ~labels.astype(str).isin(list(drop)))
    if len(known) == 0:
        existing = sorted(labels.dropna().astype(str).unique())
        message = (
            f"No cell is left after dropping the labels {', '.join(drop)} and missing ones; "
            f"obs.{labels.name} has {', '.join(existing[:10])}. Choose another --drop-label."
        )
        raise DataContractError(message)
    if max_cells and len(known) > max_cells:
        known = np.random.default_rng(seed).choice(known, max_cells, replace=False)
    return np.sort(known)


def check_keys(mdata: mudata.MuData, args: argparse.Namespace) -> None:
    """Refuse unknown obs columns and modalities before anything is trained.

    Raises
    ------
    ConfigError
        If one is not there.
    """
    for kind, name, existing in (
        ("obs column", args.batch_key, mdata.obs.columns),
        ("obs column", args.label_key, mdata.obs.columns),
        ("modality", args.pca_modality, mdata.mod),
    ):
        if name not in existing:
            message = f"There is no {kind} {name!r}; the file has {', '.join(existing)}."
            raise ConfigError(message)
