"""Reliability: how far each measurement can be trusted."""

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.session import InferenceSession, evaluating
from hzau_omics.nn.scoring.measurements import MeasurementScores


class Reliability(Answers):
    """Reliability of measurements."""

    def get_reliability(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return how far each cell's measurements can be trusted.

        The probability that a measurement is clean, as against one of which at least half is
        ambient (counts of other cells) or at most a tenth of the counts is left, where a tenth of
        the measurements have failed in one of these ways (a text or a label: that it is another
        cell's, or that a tenth of its words is left). Two things tell: what a small network
        has learned from failures made in training, and the share of the measurement that most
        likely came from the mean profile of its batch, instead of from what the model expects of
        the cell. Both are calibrated on validation cells. For other kinds of failure it is lowered
        by signs that are rare among validation cells: the model explains a measurement badly
        (likelihood, and correlation with its reconstruction), and no other modality of the cell
        bears it out, although it can be trusted. Where two good measurements are not of one cell
        (:meth:`get_agreement`), reliability may stay high: which one is wrong cannot be told.

        Parameters
        ----------
        mdata, indices, batch_size
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Data frame (cells, modalities) from 0 to 1, 1 = to be trusted, NaN where absent.

        Raises
        ------
        ConfigError
            The model has no gate, or was trained without ``corruption``.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> model.get_reliability().shape
        (80, 2)
        """
        return reliability(self._session(mdata, indices, batch_size))


def reliability(session: InferenceSession) -> pd.DataFrame:
    """Return the probability that each measurement can be trusted, NaN where there is none."""
    network = session.network
    if not network.reliability.has_heads:
        msg = (
            "Reliability is judged beside the gate of HZAU-VAE, which this model does not have. "
            "Take HZAUVAE with pool='gate'."
        )
        raise ConfigError(msg)
    if not network.reliability.is_calibrated:
        lack = (
            "validation cells to calibrate it with: train with train_size < 1"
            if network.reliability.heads_are_trained
            else "failed measurements: train with plan_kwargs={'corruption': 0.1} (the default)"
        )
        msg = f"Reliability cannot be judged. This model has seen no {lack}."
        raise ConfigError(msg)
    values = np.full((len(session), len(network.modalities)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            values[rows] = reliability_of(MeasurementScores(network, batch)).cpu().numpy()
    return pd.DataFrame(values, index=session.obs_names, columns=list(network.modalities))


def reliability_of(scores: MeasurementScores) -> Float[Tensor, "cell modality"]:
    """Return the reliability of each measurement of a minibatch; NaN where there is none."""
    return torch.sigmoid(scores.network.reliability.log_odds(scores.evidence))
