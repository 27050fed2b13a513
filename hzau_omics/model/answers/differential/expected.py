"""What a decoder expects at given latents."""

import torch
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.model.answers.decoding import ModalityPredictor


def expected_values_at(
    predictor: ModalityPredictor,
    z: Tensor,
    batch: Minibatch,
    decode_as: int | None,
    *,
    of_share: bool,
    seen: Tensor | None = None,
) -> Tensor:
    """Return the mean of every feature (cell, feature).

    Parameters
    ----------
    predictor
        The modality.
    z
        Latents (cell, latent).
    batch
        The cells.
    decode_as
        Code of the batch that they are decoded as; None for their own.
    of_share
        Whether values are shares of their sum over features.
    seen
        Boolean tensor (cell): whether the latents were inferred from the modality.
    """
    if decode_as is None:
        codes = batch.batch
        found = z.new_zeros(())
        for code in torch.unique(codes).tolist():  # type: ignore[no-untyped-call]
            own = expected_values_at(predictor, z, batch, code, of_share=of_share, seen=seen)
            found = torch.where((codes == code)[:, None], own, found)
        return found
    likelihood = predictor.network.decoder(predictor.index).likelihood
    parameters = predictor.parameters(
        z,
        batch,
        decode_as=decode_as,
        log_library=z.new_zeros(len(z), 1) if likelihood.uses_library else None,
        seen=seen,
    )
    mean: Tensor = likelihood.mean(parameters)
    if of_share and not likelihood.uses_library:
        mean = mean / mean.sum(-1, keepdim=True)
    return mean
