"""Cells of new batches: their staining is aligned, and what they did not measure is filled in.

Encoders were trained on complete measurements of the reference's batches. A new batch may be
stained more strongly, and may lack features. Training cells that may be in the state of a new cell
say what is to be expected of it (docs/method.md, equations 46 to 48).
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import CellStore, DataLayout
from hzau_omics.errors import HzauWarning
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.decoding import ModalityPredictor, blank_cells
from hzau_omics.model.reference import Reference
from hzau_omics.nn.adaptation.donors import (
    DRAW_TEMPERATURE,
    Donors,
    donor_weights,
    donors_from_draws,
    fit_shift,
    systematic_draws,
)
from hzau_omics.nn.adaptation.mixture import mixed_encoding, mixed_posterior
from hzau_omics.nn.neighbours.agreement import WITHIN_STATE, log_agreements
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.pools import Posterior

MAX_CELLS = 2000
"""Most training cells that are donors, and most cells of a new batch that set its shift."""

MANY_FEATURES = 500
"""Number of features from which a modality is neither aligned nor filled in from donors."""

MIN_CELLS = 20
"""Fewest cells from which a shift is found: of one cell, the shift would be the cell itself."""

N_FILLED = 8
"""How often missing values are filled in."""

N_DRAWS = 16
"""Draws of each donor's values, for expected encoder inputs and their spread."""

AGREEMENT_TEMPERATURE = 2.0
"""What the log agreement of other modalities is divided by."""


class _Pattern(NamedTuple):
    """What some cells are inferred from.

    Attributes
    ----------
    modalities
        Their positions.
    fixed
        Those whose measurements are taken as they are.
    """

    modalities: tuple[int, ...]
    fixed: tuple[int, ...]


@dataclass
class _Fitted:
    """Donors of a modality, given a pattern, and the posteriors that they are compared by."""

    donors: Donors
    posterior: DiagonalGaussian | None


class Adaptation:
    """How cells of new batches are inferred.

    Parameters
    ----------
    network
        The network, which knows the reference's batches only.
    layout
        Layout of the cells, with their new batches.
    reference
        Posteriors of the training cells.
    """

    def __init__(self, network: MultimodalVAE, layout: DataLayout, reference: Reference) -> None:
        self._network, self._layout, self._reference = network, layout, reference
        self._n_known = network.config.n_batches
        self._fitted: dict[tuple[_Pattern, int], _Fitted | None] = {}
        self._shifts: dict[tuple[int, int], Tensor] = {}
        # Of many features with few counts each, a shift of log counts would be a shift of zeros.
        self._narrow = tuple(
            m
            for m in network.config.generated
            if network.decoder(m).likelihood.is_count
            and layout.modalities[m].n_features < MANY_FEATURES
            # Words are not stained.
            and layout.modalities[m].text is None
        )

    # ---------------------------------------------------------------- alignment

    def fit(self, store: CellStore, batch_size: int) -> None:
        """Find the shift of each feature of the new batches, from a sample of their cells."""
        device = next(self._network.parameters()).device
        for code in range(self._n_known, self._layout.n_batches):
            cells = np.flatnonzero(store.batch == code)
            cells = np.sort(np.random.default_rng(0).permutation(cells)[:MAX_CELLS])
            for m in self._narrow:
                having = cells[store.present[cells, m]]
                batches = [b.to(device) for b in store.minibatches(having, batch_size)]
                shift = self._found_shift(batches, m)
                if shift is not None:
                    self._shifts[code, m] = shift

    def _found_shift(self, batches: Sequence[Minibatch], m: int) -> Tensor | None:
        """Return the shift of a modality, from the cells with the most frequent pattern."""
        if not batches:
            return None
        present = torch.cat([batch.present for batch in batches])
        patterns, count = torch.unique(present, dim=0, return_counts=True)
        wanted = patterns[count.argmax()]
        pattern = self._pattern(wanted)
        fitted = self._fit(pattern, m)
        if fitted is None:
            return None
        if count.max() < MIN_CELLS:
            warnings.warn(
                f"The staining of {self._layout.names[m]!r} in a new batch is aligned from at "
                f"least {MIN_CELLS} cells with the same modalities. Received {int(count.max())}: "
                "they are taken as they are. Pass all cells of the batch at once.",
                HzauWarning,
                stacklevel=2,
            )
            return None
        inputs, agreements = [], []
        for batch in batches:
            rows = (batch.present == wanted).all(1)
            inputs.append(self._network.encoder_input(m, batch)[rows])
            mask = self._measured(m, batch)
            if fitted.posterior is not None:
                q = self._fixed_posterior(self._network.encode(batch), batch, pattern)
                agreements.append(_agreement(q, rows, fitted.posterior))
        measured = mask[0]
        shift = torch.zeros_like(fitted.donors.spread)
        shift[measured] = fit_shift(
            torch.cat(inputs)[:, measured],
            fitted.donors.of_features(measured),
            torch.cat(agreements) if agreements else None,
        )
        return shift

    # ---------------------------------------------------------------- inference

    def infer(self, batch: Minibatch, seen: Tensor) -> tuple[Encoded, Posterior]:
        """Return experts and posterior of cells, of which some are of new batches."""
        network = self._network
        encoded = network.encode(batch)
        new = batch.batch >= self._n_known
        if not bool(new.any()):
            return encoded, network.infer(encoded, seen)
        wanted = seen & new.unsqueeze(1)
        fills = self._filled(encoded, batch, wanted)
        parts = [network.encode_again(encoded, batch, inputs) for inputs in fills] or [encoded]
        posterior = mixed_posterior([network.infer(part, seen) for part in parts])
        wide = self._expected_wide(batch, wanted, posterior)
        if wide:
            parts = [network.encode_again(part, batch, wide) for part in parts]
            posterior = mixed_posterior([network.infer(part, seen) for part in parts])
        return mixed_encoding(parts), posterior

    def _filled(
        self, encoded: Encoded, batch: Minibatch, wanted: Tensor
    ) -> Iterator[Mapping[int, Tensor]]:
        """Yield encoder inputs of narrow modalities, aligned, and filled in one way after another.

        `wanted` (cell, modality) says what cells of new batches are inferred from.
        """
        found = {
            m: self._filled_modality(encoded, batch, wanted, m)
            for m in self._narrow
            if bool(wanted[:, m].any())
        }
        differ = any(bool((x != x[:1]).any()) for x in found.values())
        for k in range(N_FILLED if differ else bool(found)):
            yield {m: x[k] for m, x in found.items()}

    def _filled_modality(
        self, encoded: Encoded, batch: Minibatch, wanted: Tensor, m: int
    ) -> Float[Tensor, "fill cell feature"]:
        """Return encoder inputs of one narrow modality, filled in several ways."""
        mask = self._measured(m, batch)
        x = self._network.encoder_input(m, batch).expand(N_FILLED, -1, -1).clone()
        keys = torch.cat([wanted, batch.batch.unsqueeze(1)], dim=1)
        for key, rows in _groups(keys, wanted[:, m]):
            pattern = self._pattern(key[:-1].bool())
            shift = self._shifts.get((int(key[-1]), m))
            own = x[0, rows] if shift is None else x[0, rows] - shift
            x[:, rows] = torch.where(mask[rows], own, 0.0)
            # Cells of one batch measured the same features.
            known = mask[rows[0]]
            fitted = None if bool(known.all()) else self._fit(pattern, m)
            if fitted is None:
                continue
            agreement = None
            if fitted.posterior is not None:
                q = self._fixed_posterior(encoded, batch, pattern)
                agreement = _agreement(q, rows, fitted.posterior)
            weights = donor_weights(
                own[:, known], fitted.donors.of_features(known), DRAW_TEMPERATURE, agreement
            )
            drawn = fitted.donors.inputs[systematic_draws(weights, N_FILLED)]
            x[:, rows] = torch.where(mask[rows], own, drawn)
        return x

    def _expected_wide(
        self, batch: Minibatch, wanted: Tensor, posterior: Posterior
    ) -> dict[int, Tensor]:
        """Return encoder inputs of other modalities whose missing features are as expected."""
        found = {}
        for m, name in enumerate(self._layout.names):
            mask = batch.feature_mask.get(name)
            if m in self._narrow or mask is None or m not in self._network.config.generated:
                continue
            lacking = wanted[:, m : m + 1] & ~mask
            if not bool(lacking.any()):
                continue
            predictor = ModalityPredictor(self._network, self._layout, name)
            parameters = predictor.parameters(
                posterior.q.mean, batch, decode_as=self._n_known, seen=wanted[:, m]
            )
            likelihood = self._network.decoder(m).likelihood
            expected = likelihood.encoder_input(likelihood.mean(parameters))
            found[m] = torch.where(lacking, expected, self._network.encoder_input(m, batch))
        return found

    # ---------------------------------------------------------------- donors

    def _measured(self, m: int, batch: Minibatch) -> Tensor:
        mask = batch.feature_mask.get(self._layout.names[m])
        n_features = self._layout.modalities[m].n_features
        everything = torch.ones(len(batch), n_features, dtype=torch.bool, device=batch.batch.device)
        return everything if mask is None else mask

    def _pattern(self, present: Tensor) -> _Pattern:
        modalities = tuple(int(m) for m in present.nonzero().squeeze(-1))
        return _Pattern(modalities, tuple(m for m in modalities if m not in self._narrow))

    def _names(self, modalities: Sequence[int]) -> tuple[str, ...]:
        return tuple(self._layout.names[m] for m in modalities)

    def _fit(self, pattern: _Pattern, m: int) -> _Fitted | None:
        """Return the donors of a modality for cells with some pattern; None if there are none."""
        if (pattern, m) not in self._fitted:
            self._fitted[pattern, m] = self._found_donors(pattern, m)
        return self._fitted[pattern, m]

    def _found_donors(self, pattern: _Pattern, m: int) -> _Fitted | None:
        names, fixed = self._names(pattern.modalities), self._names(pattern.fixed)
        if not self._has_cells(names):
            names, fixed = self._names((m,)), ()
        if not self._has_cells(names):
            return None
        # All of these cells have what is fixed, since it is a part of the pattern.
        cells = self._reference.having(names)
        chosen = np.sort(np.random.default_rng(0).permutation(len(cells))[:MAX_CELLS])
        donors = self._donors(self._posterior(names, cells[chosen]).mean, m)
        posterior = self._posterior(fixed, cells[chosen]) if self._has_cells(fixed) else None
        return _Fitted(donors, posterior)

    def _has_cells(self, given: tuple[str, ...]) -> bool:
        return given in self._reference.views and len(self._reference.having(given)) > 0

    def _posterior(self, given: tuple[str, ...], cells: NDArray[np.int64]) -> DiagonalGaussian:
        """Return posteriors of reference cells that have what is given."""
        place = torch.from_numpy(np.searchsorted(self._reference.having(given), cells))
        held = self._reference.views[given].posterior
        device = self._network.membership.device
        return DiagonalGaussian(*(part[place].float().to(device) for part in held))

    def _donors(self, z: Tensor, m: int) -> Donors:
        """Decode the means of training cells as the average of all batches."""
        network, decoder = self._network, self._network.decoder(m)
        blank = blank_cells(self._layout, len(z), z.device, code=self._n_known)
        covariates = network.decoder_covariates(blank)
        hidden = decoder.hidden(z, covariates)
        library = decoder.library(hidden)
        context = decoder.context(
            None if library is None else library.mean,
            batch=blank.batch,
            covariates=covariates,
            feature_mask=None,
        )
        likelihood, generator = decoder.likelihood, torch.Generator(z.device).manual_seed(0)
        parameters = likelihood(hidden, context)
        drawn = (likelihood.sample(parameters, generator) for _ in range(N_DRAWS))
        return donors_from_draws([likelihood.encoder_input(values) for values in drawn])

    def _fixed_posterior(
        self, encoded: Encoded, batch: Minibatch, pattern: _Pattern
    ) -> DiagonalGaussian:
        """Return posteriors of all cells given what is taken as it is."""
        fixed = torch.zeros_like(batch.present)
        fixed[:, list(pattern.fixed)] = True
        return self._network.infer(encoded, batch.present & fixed).q


def _agreement(q: DiagonalGaussian, rows: Tensor, donors: DiagonalGaussian) -> Tensor:
    """Return the log agreement of some cells with the donors, over the temperature."""
    some = DiagonalGaussian(q.mean[rows], q.logvar[rows])
    return log_agreements(some, donors, within=WITHIN_STATE) / AGREEMENT_TEMPERATURE


def _groups(keys: Tensor, wanted: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield distinct rows of `keys` among the wanted ones, and where they are."""
    where = wanted.nonzero().squeeze(-1)
    distinct, member = torch.unique(keys[where], dim=0, return_inverse=True)
    for i, row in enumerate(distinct):
        yield row, where[member == i]
