"""New cells: latents drawn from the prior or a posterior, and decoded."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from anndata import AnnData
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import DataLayout
from hzau_omics.errors import DataContractError
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.decoding import (
    DecodeGroup,
    ModalityPredictor,
    batch_codes,
    blank_cells,
    decode_groups,
)
from hzau_omics.model.answers.draws import MAX_DRAWS_HELD, PredictiveConfig, walk
from hzau_omics.model.session import InferenceSession, evaluating, make_generator
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


@dataclass(frozen=True)
class NewCells:
    """Latents of new cells, and the other inputs of their decoders.

    Attributes
    ----------
    z
        Latents (cell, latent).
    library_noise
        Standard normal noise (cell, 1): one sequencing depth for all features of a cell.
    batch
        The cells that they come from, for covariates and conditions.
    turn
        Number of each cell (cell), which decides the batch that it is decoded as, if there are
        several.
    seen
        Boolean tensor (cell): whether the latents were inferred from the modality itself; None if
        none were.
    """

    z: Tensor
    library_noise: Tensor
    batch: Minibatch
    turn: NDArray[np.int64]
    seen: Tensor | None = None

    def take(self, rows: NDArray[np.int64]) -> "NewCells":
        """Return some of them."""
        index = torch.from_numpy(rows).to(self.z.device)
        return NewCells(
            self.z[index],
            self.library_noise[index],
            self.batch.take(torch.from_numpy(rows)),
            self.turn[rows],
            None if self.seen is None else self.seen[index],
        )

    def decode(
        self,
        predictor: ModalityPredictor,
        group: DecodeGroup,
        generator: torch.Generator,
        *,
        give_mean: bool,
    ) -> NDArray[np.float32]:
        """Return the features of a group (cell, feature of the group) in the data's units."""
        likelihood = predictor.network.decoder(predictor.index).likelihood
        columns = slice(None) if group.features is None else torch.from_numpy(group.features)
        n_features = likelihood.n_features if group.features is None else len(group.features)
        values = np.empty((len(self.z), n_features), np.float32)
        for code, rows in self._by_batch(group.batches):
            part = self if rows.size == len(self.z) else self.take(rows)
            parameters = predictor.parameters(
                part.z,
                part.batch,
                decode_as=code,
                seen=part.seen,
                generator=generator,
                library_noise=part.library_noise,
            )
            drawn = (
                likelihood.mean(parameters)
                if give_mean
                else likelihood.sample(parameters, generator)
            )
            values[rows] = drawn.cpu()[:, columns].numpy()
        return values

    def _by_batch(self, batches: Sequence[int]) -> Iterator[tuple[int, NDArray[np.int64]]]:
        """Yield a batch and the cells that are decoded as it, a limited number at a time."""
        for i, code in enumerate(batches):
            rows = np.flatnonzero(self.turn % len(batches) == i)
            for start in range(0, len(rows), DECODED_AT_ONCE):
                yield code, rows[start : start + DECODED_AT_ONCE]


def sample_prior(
    network: MultimodalVAE,
    layout: DataLayout,
    modalities: Sequence[str],
    n_samples: int,
    draws: Draws,
    *,
    transform_batch: str | Sequence[str] | None,
) -> dict[str, AnnData]:
    """Draw latents from the prior and modalities of the same new cells from their decoders.

    The cells are decoded as the batches in turn.
    """
    device = next(network.parameters()).device
    generator = make_generator(draws.seed, device)
    z = torch.randn(n_samples, network.config.n_latent, generator=generator, device=device)
    noise = torch.randn(n_samples, 1, generator=generator, device=device)
    codes = _batches(layout, modalities, transform_batch)[:n_samples]
    turns = [range(n_samples)[i :: len(codes)] for i in range(len(codes))]
    new = [
        NewCells(
            z[turn.start :: turn.step],
            noise[turn.start :: turn.step],
            blank_cells(layout, len(turn), device),
            np.arange(len(turn)),
        )
        for turn in turns
    ]
    obs = pd.DataFrame(
        {"decoded_as": [layout.batch.categories[codes[i % len(codes)]] for i in range(n_samples)]},
        index=pd.Index([f"sample_{i}" for i in range(n_samples)]),
    )
    result = {}
    with evaluating(network):
        for name in modalities:
            predictor = ModalityPredictor(network, layout, name)
            values = np.empty((n_samples, layout.modality(name).n_features), np.float32)
            for code, turn, cells in zip(codes, turns, new, strict=True):
                fixed = None if transform_batch is None else [layout.batch.categories[code]]
                for group in decode_groups(layout, name, code, fixed):
                    values[_cross(np.asarray(turn), group, values)] = cells.decode(
                        predictor, group, generator, give_mean=draws.give_mean
                    )
            result[name] = AnnData(
                X=values,
                obs=obs.copy(),
                var=pd.DataFrame(index=pd.Index(layout.modality(name).var_names)),
                obsm={draws.latent_key: z.cpu().numpy()},
            )
    return result


def _batches(
    layout: DataLayout, modalities: Sequence[str], transform_batch: str | Sequence[str] | None
) -> tuple[int, ...]:
    """Return the batches that new cells belong to: those that measured most of the modalities."""
    if transform_batch is not None:
        return batch_codes(layout, transform_batch)
    n_measured = np.sum([layout.modality(name).measured for name in modalities], axis=0)
    return tuple(int(code) for code in np.flatnonzero(n_measured == n_measured.max()))


def _cross(
    rows: NDArray[np.int64], group: DecodeGroup, values: NDArray[np.float32]
) -> tuple[NDArray[np.int64], ...]:
    """Return the place of a group's features of some cells in a table."""
    features = np.arange(values.shape[1]) if group.features is None else group.features
    return np.ix_(rows, features)


def draw_cells(
    session: InferenceSession, config: PredictiveConfig, draws: Draws, generator: torch.Generator
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Draw one modality of each cell as often as the configuration says.

    Features of one draw come from one latent and one sequencing depth, even if they are decoded as
    different batches.

    Returns
    -------
    Values (cell, draw, feature) and latents (cell, draw, latent).
    """
    layout, n_samples = session.layout, config.n_samples
    n_features = layout.modality(config.modality).n_features
    predictor = ModalityPredictor(session.network, layout, config.modality)
    values = np.empty((len(session), n_samples, n_features), np.float32)
    latents = np.empty((len(session), n_samples, session.network.config.n_latent), np.float32)
    size = max(1, min(session.batch_size, MAX_DRAWS_HELD // (n_samples * n_features)))
    q, noise = None, []
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=size):
            # Steps with the same posterior are groups of features of the same cells.
            if step.q is not q:
                q = step.q
                depth = q.mean[:, :1]
                noise = [
                    (q.sample(generator), torch.empty_like(depth).normal_(generator=generator))
                    for _ in range(n_samples)
                ]
                latents[step.rows] = torch.stack([z for z, _ in noise], dim=1).cpu().numpy()
            for i, (z, library_noise) in enumerate(noise):
                cells = NewCells(z, library_noise, step.batch, step.rows + i, step.seen)
                drawn = values[:, i]
                drawn[_cross(step.rows, step.group, drawn)] = cells.decode(
                    predictor, step.group, generator, give_mean=draws.give_mean
                )
    return values, latents


def sample_posterior(session: InferenceSession, config: PredictiveConfig, draws: Draws) -> AnnData:
    """Return draws of one modality of each cell, cell by cell, as of :func:`draw_cells`."""
    _check_conditions(session, config)
    n_samples = config.n_samples
    generator = make_generator(draws.seed, session.device)
    values, latents = draw_cells(session, config, draws, generator)
    source = np.repeat(session.obs_names.to_numpy(), n_samples)
    number = np.tile(np.arange(n_samples), len(session))
    return AnnData(
        X=values.reshape(len(source), -1),
        obs=pd.DataFrame(
            {"cell": source, "draw": number},
            index=pd.Index([f"{cell}_{i}" for cell, i in zip(source, number, strict=True)]),
        ),
        var=pd.DataFrame(index=pd.Index(session.layout.modality(config.modality).var_names)),
        obsm={draws.latent_key: latents.reshape(len(source), -1)},
    )


def _check_conditions(session: InferenceSession, config: PredictiveConfig) -> None:
    names = session.layout.names
    columns = [names.index(name) for name in config.given or ()]
    empty = ~session.store.present[session.cells][:, columns].any(1)
    if empty.any():
        msg = (
            f"Cells to generate {config.modality!r} from must have another modality "
            f"({', '.join(config.given or ())}). Received {int(empty.sum())} of {len(empty)} cells "
            f"without any, such as {session.obs_names[empty][0]!r}. Leave them out, or call sample."
        )
        raise DataContractError(msg)
