"""New cells: draws from the prior, or from what other modalities say."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import DataLayout
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.decoding import ModalityPredictor, batch_codes
from hzau_omics.model.predictive import MAX_DRAWS_HELD, PredictiveConfig, walk
from hzau_omics.model.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.likelihoods import Parameters
from hzau_omics.nn.network import MultimodalVAE

DECODED_AT_ONCE = 4096
"""New cells that are decoded at a time."""


@dataclass(frozen=True)
class Draws:
    """What is returned of each new cell.

    Attributes
    ----------
    latent_key
        Name of the latents in ``obsm``.
    give_mean
        Whether to return the decoder's means in place of draws from its likelihood.
    seed
        Seed of the draws; None follows torch's global generator.
    """

    latent_key: str
    give_mean: bool
    seed: int | None

    def values(
        self,
        predictor: ModalityPredictor,
        parameters: Parameters,
        generator: torch.Generator,
    ) -> NDArray[np.float32]:
        """Return draws or means (cell, feature) in the data's units."""
        likelihood = predictor.network.decoder(predictor.index).likelihood
        found: Tensor = (
            likelihood.mean(parameters)
            if self.give_mean
            else likelihood.sample(parameters, generator)
        )
        return np.asarray(found.cpu().numpy(), dtype=np.float32)


def sample_prior(
    network: MultimodalVAE,
    layout: DataLayout,
    modalities: Sequence[str],
    n_samples: int,
    draws: Draws,
    *,
    transform_batch: str | Sequence[str] | None,
) -> dict[str, AnnData]:
    """Draw latents from the prior and modalities of the same new cells from their decoders."""
    if n_samples < 1:
        msg = f"n_samples must be at least 1. Received {n_samples}."
        raise ConfigError(msg)
    device = next(network.parameters()).device
    generator = make_generator(draws.seed, device)
    z = torch.randn(n_samples, network.config.n_latent, generator=generator, device=device)
    return {
        name: _decode(
            network,
            layout,
            name,
            z,
            draws=draws,
            transform_batch=transform_batch,
            generator=generator,
        )
        for name in modalities
    }


def _decode(
    network: MultimodalVAE,
    layout: DataLayout,
    modality: str,
    z: Tensor,
    *,
    draws: Draws,
    transform_batch: str | Sequence[str] | None,
    generator: torch.Generator,
) -> AnnData:
    known = layout.modality(modality)
    codes = tuple(int(b) for b in np.flatnonzero(known.measured))
    if transform_batch is not None:
        codes = batch_codes(layout, transform_batch)
    predictor = ModalityPredictor(network, layout, modality)
    values = np.empty((len(z), known.n_features), np.float32)
    decoded_as = np.empty(len(z), dtype=object)
    with evaluating(network):
        for code, rows in zip(codes, np.array_split(np.arange(len(z)), len(codes)), strict=True):
            decoded_as[rows] = layout.batch.categories[code]
            for start in range(0, len(rows), DECODED_AT_ONCE):
                part = rows[start : start + DECODED_AT_ONCE]
                parameters = predictor.parameters(
                    z[torch.from_numpy(part).to(z.device)],
                    _blank(layout, len(part), z.device),
                    decode_as=code,
                    generator=generator,
                )
                values[part] = draws.values(predictor, parameters, generator)
    return AnnData(
        X=values,
        obs=pd.DataFrame(
            {"decoded_as": decoded_as}, index=pd.Index([f"sample_{i}" for i in range(len(z))])
        ),
        var=pd.DataFrame(index=pd.Index(known.var_names)),
        obsm={draws.latent_key: z.cpu().numpy()},
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


def sample_posterior(session: InferenceSession, config: PredictiveConfig, draws: Draws) -> AnnData:
    """Draw one modality of each cell as often as the configuration says, cell by cell.

    Features of one draw come from one latent, also where they are decoded as several batches.
    """
    layout, n_samples = session.layout, config.n_samples
    _check_conditions(session, config)
    known = layout.modality(config.modality)
    predictor = ModalityPredictor(session.network, layout, config.modality)
    values = np.empty((len(session), n_samples, known.n_features), np.float32)
    latents = np.empty((len(session), n_samples, session.network.config.n_latent), np.float32)
    size = max(1, min(session.batch_size, MAX_DRAWS_HELD // (n_samples * known.n_features)))
    generator = make_generator(config.seed, session.device)
    q, z = None, []
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=size):
            if step.q is not q:
                q, z = step.q, [step.q.sample(generator) for _ in range(n_samples)]
            columns = step.group.features
            for i, latent in enumerate(z):
                latents[step.rows, i] = latent.cpu().numpy()
                parameters = predictor.parameters(
                    latent,
                    step.batch,
                    decode_as=step.group.batches[i % len(step.group.batches)],
                    seen=step.seen,
                    generator=generator,
                )
                found = draws.values(predictor, parameters, generator)
                where = slice(None) if columns is None else columns
                values[np.ix_(step.rows, [i], np.arange(known.n_features)[where])] = found[
                    :, None, where
                ]
    cells = np.repeat(session.obs_names.to_numpy(), n_samples)
    number = np.tile(np.arange(n_samples), len(session))
    names = [f"{cell}_{i}" for cell, i in zip(cells, number, strict=True)]
    return AnnData(
        X=values.reshape(len(cells), -1),
        obs=pd.DataFrame({"cell": cells, "draw": number}, index=pd.Index(names)),
        var=pd.DataFrame(index=pd.Index(known.var_names)),
        obsm={draws.latent_key: latents.reshape(len(cells), -1)},
    )


def _check_conditions(session: InferenceSession, config: PredictiveConfig) -> None:
    names = session.layout.names
    columns = [names.index(name) for name in config.given or ()]
    empty = ~session.store.present[session.cells][:, columns].any(1)
    if empty.any():
        msg = (
            f"Cells to generate {config.modality!r} from must have another modality "
            f"({', '.join(config.given or ())}). {int(empty.sum())} of {len(empty)} cells have "
            f"none, such as {session.obs_names[empty][0]!r}. Leave them out, or call sample."
        )
        raise DataContractError(msg)
