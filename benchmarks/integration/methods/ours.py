"""HZAU-VAE: ``HZAUVAE(mdata).train()`` without options, posterior means."""

from typing import Any

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from benchmarks.common.command import silence_lightning
from benchmarks.common.model import model_class
from benchmarks.integration.methods.exchange import CHROMATIN, Cells, Embedding, spread

PACKAGES = ("hzau-omics", "scvi-tools", "torch")
LIKELIHOODS = {CHROMATIN: "bernoulli"}
"""Likelihoods other than the negative binomial."""


def as_mudata(cells: Cells) -> MuData:
    """Return the cells as users have them; chromatin as 0/1, for a Bernoulli likelihood."""
    parts = {}
    for m in cells.modalities:
        rows = cells.rows(m)
        x = cells.counts[m][rows].astype(np.float32)
        if m in LIKELIHOODS:
            x.data = np.ones_like(x.data)
        var = pd.DataFrame(index=cells.features[m])
        if not cells.measured[m].all():
            for name, column in zip(cells.batches, cells.measured[m], strict=True):
                var[f"measured_{name}"] = column
        parts[m] = AnnData(x, obs=pd.DataFrame(index=cells.names[rows]), var=var)
    mdata = MuData(parts)
    mdata.obs["batch"] = pd.Series(cells.batch, index=cells.names).reindex(mdata.obs_names)
    return mdata


def trained(mdata: MuData, cells: Cells, seed: int, **options: Any) -> Any:
    """Return HZAU-VAE trained with defaults.

    Parameters
    ----------
    mdata
        What :func:`as_mudata` made of the cells.
    cells
        The cells.
    seed
        Seed of the training.
    options
        Other arguments of ``setup_mudata``, such as ``batch_key``.
    """
    silence_lightning()
    model_type: Any = model_class()
    if any(not mask.all() for mask in cells.measured.values()):
        options["panel_key"] = "measured"
    likelihoods = {m: LIKELIHOODS.get(m, "nb") for m in cells.modalities}
    model_type.setup_mudata(mdata, modalities=likelihoods, **options)
    model = model_type(mdata)
    model.train(seed=seed, enable_progress_bar=False)
    return model


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Train with defaults; embed each cell from all it has, and from each modality alone."""
    mdata = as_mudata(cells)
    model = trained(mdata, cells, seed, batch_key="batch")
    order = mdata.obs_names.get_indexer(cells.names)
    alone = {}
    for m in cells.modalities:
        rows = cells.rows(m)
        latent = model.get_latent_representation(given=m)[order]
        alone[m] = spread(latent[rows], rows, cells.n)
    return Embedding(
        joint=model.get_latent_representation()[order],
        alone=alone,
        info={"epochs": len(model.history["elbo_train"])},
    )
