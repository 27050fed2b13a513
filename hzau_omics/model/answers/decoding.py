"""Predictive distributions of a modality: which batch to decode as, and which library to use."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.checks import as_list, check_distinct, unwrap
from hzau_omics.data import DataLayout
from hzau_omics.data.contract.columns.category import text_of
from hzau_omics.errors import DataContractError
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.decoding.library import Library, log_of_total
from hzau_omics.nn.decoding.likelihoods import Parameters
from hzau_omics.nn.network import MultimodalVAE

MIN_SHARE = 1e-6
"""Smallest share of a panel's total, on features of the cell's own panel, from which the observed
total sets the scale of the whole panel."""


@dataclass(frozen=True)
class DecodeGroup:
    """Features of a modality, and the batches that they are decoded as, on average.

    Attributes
    ----------
    features
        Positions of the features, None for all.
    batches
        Codes of the batches; each gets as many draws as any other.
    """

    features: NDArray[np.int64] | None
    batches: tuple[int, ...]

    def turns(self, n_draws: int) -> tuple[int, ...]:
        """Return the batch of each draw: at least `n_draws`, as many of each batch.

        Examples
        --------
        >>> DecodeGroup(None, (4, 7)).turns(3)
        (4, 7, 4, 7)
        """
        return self.batches * -(-n_draws // len(self.batches))


def decode_groups(
    layout: DataLayout, modality: str, batch: int, transform_batch: Sequence[str] | None
) -> list[DecodeGroup]:
    """Return how cells of a batch are decoded.

    A feature that the batch measured is decoded as that batch; one that it did not, as the average
    over the batches that did. `transform_batch` overrides both.

    Raises
    ------
    DataContractError
        If `transform_batch` names an unknown batch.
    """
    if transform_batch is not None:
        return [DecodeGroup(None, batch_codes(layout, transform_batch))]
    registered = layout.modality(modality)
    may_stand_in = layout.donors(modality)
    donors = tuple(int(b) for b in np.flatnonzero(may_stand_in))
    if registered.panel is None:
        return [DecodeGroup(None, (batch,) if registered.measured[batch] else donors)]
    measured_here = registered.panel[batch] & registered.measured[batch]
    own = np.flatnonzero(measured_here)
    groups = [DecodeGroup(own, (batch,))] if own.size else []
    missing = np.flatnonzero(~measured_here)
    measured = registered.panel & may_stand_in[:, None]
    patterns, member = np.unique(measured[:, missing], axis=1, return_inverse=True)
    for i in range(patterns.shape[1]):
        batches = tuple(int(b) for b in np.flatnonzero(patterns[:, i])) or donors
        groups.append(DecodeGroup(missing[np.asarray(member).reshape(-1) == i], batches))
    return groups


def batch_codes(layout: DataLayout, names: str | Sequence[str]) -> tuple[int, ...]:
    """Return the codes of one batch or several, given by name or by number.

    Raises
    ------
    DataContractError
        If a batch is unknown.
    ConfigError
        If one is named twice.
    """
    wanted = tuple(text_of(unwrap(name)) for name in as_list(names))
    check_distinct("transform_batch", wanted)
    known = layout.batch.categories
    unknown = [name for name in wanted if name not in known]
    if unknown or not wanted:
        msg = (
            "transform_batch names batches that the model was trained on. "
            f"Received {list(wanted)}; known: {list(known)}."
        )
        raise DataContractError(msg)
    return tuple(known.index(name) for name in wanted)


def batch_names(layout: DataLayout, names: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return the names of one batch or several, None for None; as :func:`batch_codes`."""
    if names is None:
        return None
    return tuple(layout.batch.categories[code] for code in batch_codes(layout, names))


def blank_cells(
    layout: DataLayout, n_cells: int, device: torch.device, *, code: int = 0
) -> Minibatch:
    """Return cells of a batch with the first category of every covariate and average others."""
    n_categorical, n_continuous = (
        len(columns) for columns in (layout.categorical_covariates, layout.continuous_covariates)
    )
    return Minibatch(
        x={},
        present=torch.zeros(n_cells, len(layout.names), dtype=torch.bool, device=device),
        batch=torch.full((n_cells,), code, dtype=torch.long, device=device),
        categorical=torch.zeros(n_cells, n_categorical, dtype=torch.long, device=device),
        continuous=torch.zeros(n_cells, n_continuous, device=device),
    )


@dataclass(frozen=True)
class ModalityPredictor:
    """Decode one modality of the cells of a minibatch at given latents.

    Attributes
    ----------
    network
        The network.
    layout
        The registered layout.
    modality
        Name of the modality to predict.
    """

    network: MultimodalVAE
    layout: DataLayout
    modality: str

    @property
    def index(self) -> int:
        """Position of the modality."""
        return int(self.layout.names.index(self.modality))

    def library(self, z: Tensor, batch: Minibatch, *, decode_as: int) -> Library | None:
        """Return the learned distribution of the log total with cells decoded as one batch.

        None for a modality without a library size; arguments as of :meth:`parameters`.
        """
        decoder = self.network.decoder(self.index)
        codes = torch.full_like(batch.batch, decode_as)
        covariates = self.network.decoder_covariates(batch, codes)
        found: Library | None = decoder.library(decoder.hidden(z, covariates))
        return found

    def parameters(
        self,
        z: Tensor,
        batch: Minibatch,
        *,
        decode_as: int,
        log_library: Tensor | None = None,
        seen: Tensor | None = None,
        generator: torch.Generator | None = None,
        library_noise: Tensor | None = None,
    ) -> Parameters:
        """Return the likelihood's parameters with every cell decoded as one batch.

        Parameters
        ----------
        z
            Latents (cell, latent).
        batch
            The cells, for covariates and observed totals.
        decode_as
            Code of the batch.
        log_library
            Fixed log total of all features. None takes the observed total of the features that the
            cell's batch measured where `seen` is True, and elsewhere a draw from the learned
            distribution (its mean for a learned library).
        seen
            Boolean tensor (cell): whether the posterior behind `z` saw the modality.
        generator
            Random generator of the library.
        library_noise
            Standard normal noise (cell, 1) to draw the library with, for parts of a cell that must
            have the same sequencing depth.
        """
        decoder = self.network.decoder(self.index)
        codes = torch.full_like(batch.batch, decode_as)
        covariates = self.network.decoder_covariates(batch, codes)
        hidden = decoder.hidden(z, covariates)
        library = decoder.library(hidden)
        panel = self.layout.modality(self.modality).panel
        mask = None
        if panel is not None and log_library is None:
            mask = torch.from_numpy(panel[decode_as]).to(z.device).expand(len(batch), -1)
        seen_entries = self._seen_entries(seen, batch)

        def decode(log_library: Tensor | None) -> Parameters:
            context = decoder.context(
                log_library, batch=codes, covariates=covariates, feature_mask=mask
            )
            # All cells are decoded as one batch: one row of dispersions stands for all of them.
            context = context._replace(batch=codes[:1], seen=seen_entries)
            parameters: Parameters = decoder.likelihood(hidden, context)
            return parameters

        if library is not None and log_library is None:
            log_library = library.mean
            if decoder.library_is_observed:
                inflated = library.inflated(decoder.log_inflation)
                log_library = inflated.sample(generator, noise=library_noise)
            if seen is not None and decoder.library_is_observed:
                share = self._share_of_own_panel(decode, batch, mask)
                # The observed total is that of the cell's own panel: scale it up to the whole one.
                usable = seen.unsqueeze(-1) & (share > MIN_SHARE)
                observed = log_of_total(self._total(batch)) - share.clamp_min(MIN_SHARE).log()
                log_library = torch.where(usable, observed, log_library)
        return decode(log_library)

    def _total(self, batch: Minibatch) -> Tensor:
        """Return the sum of each cell's values, (cell, 1)."""
        entries = batch.sparse.get(self.modality)
        return batch.x[self.modality].sum(-1, keepdim=True) if entries is None else entries.total()

    def _seen_entries(self, seen: Tensor | None, batch: Minibatch) -> Tensor | None:
        """Return which values were seen: none of features that the cell's batch did not measure.

        Of shape (cell, 1 or feature), or of one row if it holds for all cells.
        """
        if seen is None:
            return None
        own = batch.feature_mask.get(self.modality)
        alike = (seen == seen[:1]).all() & (batch.batch == batch.batch[:1]).all()
        if bool(alike):
            seen, own = seen[:1], None if own is None else own[:1]
        return seen.unsqueeze(-1) if own is None else seen.unsqueeze(-1) & own

    def _share_of_own_panel(
        self, decode: Callable[[Tensor], Parameters], batch: Minibatch, mask: Tensor | None
    ) -> Tensor:
        """Return the share of the decoded panel's total on the cells' own panel, (cell, 1).

        A cell's observed total counts only what its own batch measured.
        """
        one = torch.ones(len(batch), 1, device=batch.present.device)
        own = batch.feature_mask.get(self.modality)
        if own is None or (mask is not None and torch.equal(own, mask)):
            return one
        parameters = decode(torch.zeros_like(one))
        for name in ("log_rate", "log_probability"):
            if name in parameters:
                return torch.where(own, parameters[name].exp(), 0.0).sum(-1, keepdim=True)
        return one
