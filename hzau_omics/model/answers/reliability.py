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
        """Return the probability that each measurement of a cell can be trusted.

        This is the probability that a measurement is clean, as opposed to failed: at least half of
        it is ambient contamination (counts of other cells), or at most a tenth of its counts is
        left. (A text has failed if it is another cell's, or if at most a tenth of its words is
        left; a label if it is wrong.) It is assumed that a tenth of all measurements has failed.

        Two sources of evidence are calibrated on calibration cells: a network that was trained to
        recognise failures, and the share of the measurement that most likely came from the mean
        profile of its batch, and not from the cell. For other kinds of failure the probability is
        lowered by what is rare among calibration cells: the model explains the measurement badly
        (low likelihood, or low correlation with its reconstruction), or no other modality of the
        cell agrees with it although this one can be trusted. Two good measurements of different
        cells may both stay reliable, since nobody can say which one is wrong: see
        :meth:`get_agreement`.

        Parameters
        ----------
        mdata, indices, batch_size
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Data frame (cells, modalities) from 0 to 1, 1 = trustworthy; NaN where absent, and for cells
        of new batches, of which it is not known what is usual.

        Raises
        ------
        ConfigError
            The model has no gate, or was trained without ``corruption`` or held-out cells.

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
            "Reliability is learned beside the gate of HZAU-VAE. Received a model without a gate: "
            "take HZAUVAE with pool='gate'."
        )
        raise ConfigError(msg)
    if not network.reliability.is_calibrated:
        missing = (
            "held-out cells to calibrate it with: train a new model with train_size < 1"
            if network.reliability.heads_are_trained
            else "failed measurements: train with plan_kwargs={'corruption': 0.1} (the default)"
        )
        msg = (
            "Reliability needs failed measurements in training, and held-out cells. Received a "
            f"model that has seen no {missing}."
        )
        raise ConfigError(msg)
    values = np.full((len(session), len(network.modalities)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            values[rows] = reliability_of(MeasurementScores(network, batch)).cpu().numpy()
    return pd.DataFrame(values, index=session.obs_names, columns=list(network.modalities))


def reliability_of(scores: MeasurementScores) -> Float[Tensor, "cell modality"]:
    """Return the reliability of each measurement of a minibatch; NaN where there is none."""
    return torch.sigmoid(scores.network.reliability.log_odds(scores.evidence))
