"""Results back into AnnData and MuData."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from mudata import MuData
from numpy.typing import NDArray

from hzau_omics.data import DataLayout, MosaicStore
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.decoding import ModalityPredictor, batch_codes
from hzau_omics.model.session import evaluating, make_generator
from hzau_omics.nn.network import GatedMultimodalVAE

Annotations = Mapping[str, NDArray[np.float32] | pd.DataFrame]


def modality_patterns(store: MosaicStore) -> list[str]:
    """Return what each cell has, such as ``"rna+adt"``."""
    names = store.layout.names
    return [
        "+".join(name for name, has in zip(names, row, strict=True) if has) for row in store.present
    ]


def to_anndata(mdata: MuData, store: MosaicStore, annotations: Annotations) -> AnnData:
    """Return all cells with annotations in ``obsm``, and no features."""
    obs = mdata.obs.copy()
    known = store.layout
    for column in (known.batch.key, known.labels.key if known.labels else None):
        if column is not None and column not in obs:
            obs[column] = store.obs(column).to_numpy()
    patterns = modality_patterns(store)
    obs["modalities"] = pd.Categorical(patterns, categories=list(dict.fromkeys(patterns)))
    return AnnData(obs=obs, obsm=dict(annotations))


def annotate(mdata: MuData, annotations: Annotations) -> None:
    """Write annotations into ``obsm`` of the MuData and of each of its modalities."""
    for key, value in annotations.items():
        mdata.obsm[key] = value
        for name, adata in mdata.mod.items():
            position = np.asarray(mdata.obsmap[name]).reshape(-1).astype(np.int64)
            cells = np.flatnonzero(position > 0)
            rows = np.empty(adata.n_obs, dtype=np.int64)
            rows[position[cells] - 1] = cells
            part = value.iloc[rows] if isinstance(value, pd.DataFrame) else value[rows]
            adata.obsm[key] = part


def prior_samples(
    network: GatedMultimodalVAE,
    layout: DataLayout,
    modality: str,
    n_samples: int,
    *,
    transform_batch: str | Sequence[str] | None,
    seed: int | None,
) -> AnnData:
    """Draw latents from the prior and one modality from its decoder."""
    if n_samples < 1:
        msg = f"n_samples must be at least 1. Received {n_samples}."
        raise ConfigError(msg)
    known = layout.modality(modality)
    measured = tuple(int(b) for b in np.flatnonzero(known.measured))
    codes = measured if transform_batch is None else batch_codes(layout, transform_batch)
    device = next(network.parameters()).device
    generator = make_generator(seed, device)
    predictor = ModalityPredictor(network, layout, modality)
    likelihood = network.decoder(predictor.index).likelihood
    values, latents, names = [], [], []
    with evaluating(network):
        for code, part in zip(codes, np.array_split(np.arange(n_samples), len(codes)), strict=True):
            z = torch.randn(len(part), network.config.n_latent, generator=generator, device=device)
            parameters = predictor.parameters(
                z, _blank(layout, len(part), device), decode_as=code, generator=generator
            )
            values.append(likelihood.sample(parameters, generator).cpu().numpy())
            latents.append(z.cpu().numpy())
            names += [layout.batch.categories[code]] * len(part)
    index = pd.Index([f"sample_{i}" for i in range(n_samples)])
    return AnnData(
        X=np.concatenate(values),
        obs=pd.DataFrame({"decoded_as": names}, index=index),
        var=pd.DataFrame(index=pd.Index(known.var_names)),
        obsm={"X_hzau": np.concatenate(latents)},
    )


def _blank(layout: DataLayout, n_cells: int, device: torch.device) -> Minibatch:
    """Return cells with the first category of every covariate and average continuous ones."""
    long = torch.long
    return Minibatch(
        x={},
        present=torch.zeros(n_cells, len(layout.names), dtype=torch.bool, device=device),
        batch=torch.zeros(n_cells, dtype=long, device=device),
        categorical=torch.zeros(
            n_cells, len(layout.categorical_covariates), dtype=long, device=device
        ),
        continuous=torch.zeros(n_cells, len(layout.continuous_covariates), device=device),
    )
