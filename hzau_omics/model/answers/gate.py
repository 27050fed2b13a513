"""Gate weights: how much the embedding of each cell relies on each modality."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from hzau_omics.checks import check_choice
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.session import InferenceSession, check_given, evaluating
from hzau_omics.nn.network import MultimodalVAE


class GateWeights(Answers):
    """Weights that the gate gives to modalities and experts."""

    def get_gate_weights(
        self,
        mdata: Cells = None,
        *,
        level: Literal["modality", "expert"] = "modality",
        kind: Literal["gate", "precision"] = "gate",
        given: str | Sequence[str] | None = None,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return how much the posterior of each cell relies on each modality or expert.

        Parameters
        ----------
        mdata, indices, given, batch_size
            As in :meth:`get_latent_representation`.
        level
            ``"expert"``: the weight w_S of each subset's expert, columns such as ``"rna+adt"``;
            ``"modality"``: w_S shared equally between the modalities of S.
        kind
            ``"gate"``: the gate's weights. ``"precision"``: weights times precisions w_S / s2_S,
            averaged over latents and normalised, which also reflects how certain an expert is.

        Returns
        -------
        Data frame with one row per cell. Values are not negative, rows sum to 1, and modalities or
        experts that a cell lacks have 0. Rows of cells that have none of the modalities `given` are
        0.

        Raises
        ------
        ConfigError
            `level` or `kind` is unknown.
        """
        check_choice("level", level, ("modality", "expert"))
        check_choice("kind", kind, ("gate", "precision"))
        names = check_given(self.layout, given)
        session = self._session(mdata, indices, batch_size)
        return gate_weights(session, level=level, kind=kind, given=names)


def gate_weights(
    session: InferenceSession, *, level: str, kind: str, given: Sequence[str] | None
) -> pd.DataFrame:
    """Return gate weights per cell and expert, or per cell and modality.

    ``kind="precision"`` multiplies each weight by its expert's precision, averages over latents and
    normalises: how much of the pooled precision comes from each expert.
    """
    network = session.network
    columns = network.family.names if level == "expert" else network.modalities
    weights = np.zeros((len(session), len(columns)), np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            encoded, posterior = session.infer(batch, given)
            share = posterior.weights
            if kind == "precision":
                log_tau = posterior.log_weights.unsqueeze(-1) - encoded.experts.logvar
                share = torch.softmax(log_tau, dim=1).mean(-1)
                share = torch.where(posterior.available, share, 0.0)
            share = share if level == "expert" else by_modality(network, share)
            weights[rows] = share.cpu().numpy()
    return pd.DataFrame(weights, index=session.obs_names, columns=list(columns))


def by_modality(
    network: MultimodalVAE, weights: Float[Tensor, "cell expert"]
) -> Float[Tensor, "cell modality"]:
    """Share the weight of each expert equally between its modalities."""
    membership = network.membership.to(weights.dtype)
    return weights @ (membership / membership.sum(1, keepdim=True))
