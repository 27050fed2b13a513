"""What a decoder expects at given latents."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import DataLayout
from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.decoding import ModalityPredictor
from hzau_omics.nn.network import MultimodalVAE


@dataclass(frozen=True)
class Expectation:
    """Mean of every feature of a modality at given latents.

    Attributes
    ----------
    network, layout, modality
        The network, what was registered, and the modality.
    decode_as
        Codes of the batches that cells are decoded as, on average; None for their own, or for
        those that measured the modality where their own did not.
    of_share
        Whether values are shares of their sum.
    common
        Features that the sum counts; None for all.
    """

    network: MultimodalVAE
    layout: DataLayout
    modality: str
    decode_as: tuple[int, ...] | None = None
    of_share: bool = False
    common: NDArray[np.int64] | None = None

    def at(self, z: Tensor, batch: Minibatch, seen: Tensor | None = None) -> Tensor:
        """Return means (cell, feature).

        Parameters
        ----------
        z
            Latents (cell, latent).
        batch
            The cells.
        seen
            Boolean tensor (cell): whether the latents were inferred from the modality.
        """
        if self.decode_as is not None:
            return self._average(z, batch, seen, self.decode_as)
        donors = self.layout.donors(self.modality)
        found = z.new_zeros(())
        for code in np.unique(batch.batch.cpu().numpy()).tolist():
            codes = (code,) if donors[code] else tuple(np.flatnonzero(donors).tolist())
            own = self._average(z, batch, seen, codes)
            found = torch.where((batch.batch == code)[:, None], own, found)
        return found

    def _average(
        self, z: Tensor, batch: Minibatch, seen: Tensor | None, codes: tuple[int, ...]
    ) -> Tensor:
        """Return means over batches, of each feature over those that measured it."""
        panel = self.layout.modality(self.modality).panel
        if panel is None or len(codes) == 1:
            return torch.stack([self._decoded(z, batch, seen, code) for code in codes]).mean(0)
        weights = torch.from_numpy(panel[list(codes)].astype(np.float32)).to(z.device)
        weights = torch.where(weights.any(0), weights, torch.ones_like(weights))
        total = z.new_zeros(())
        for code, weight in zip(codes, weights / weights.sum(0), strict=True):
            total = total + weight * self._decoded(z, batch, seen, code)
        return total

    def _decoded(self, z: Tensor, batch: Minibatch, seen: Tensor | None, code: int) -> Tensor:
        predictor = ModalityPredictor(self.network, self.layout, self.modality)
        likelihood = self.network.decoder(predictor.index).likelihood
        total = z.new_zeros(len(z), 1) if likelihood.uses_library else None
        parameters = predictor.parameters(z, batch, decode_as=code, log_library=total, seen=seen)
        mean: Tensor = likelihood.mean(parameters)
        if self.of_share and (self.common is not None or total is None):
            counted = mean if self.common is None else mean[:, torch.from_numpy(self.common)]
            mean = mean / counted.sum(-1, keepdim=True)
        return mean
