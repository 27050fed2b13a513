"""Novelty: whether the reference holds cells like a given one."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.stats import false_discovery_control

from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.comparison import Comparison
from hzau_omics.model.reference import Reference
from hzau_omics.model.session import InferenceSession, check_given, evaluating

P_VALUE, Q_VALUE, SCORE = "p_value", "q_value", "score"


class Novelty(Answers):
    """Novelty of cells."""

    def get_novelty(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        given: str | Sequence[str] | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return how unlike the training cells each cell is.

        The score is the distance, in latent units, to the k-th nearest of at most 20,000 training
        cells, where k is the root of their number: few cells lie around a cell of an unknown type.
        Calibration cells, which are no training cells either, say how large it may be
        (docs/method.md, equation 45). What a model was not trained on it cannot always tell apart:
        docs/labels.md has what was measured.

        Parameters
        ----------
        mdata, indices, given, batch_size
            As in :meth:`get_latent_representation`. Cells are compared by the modalities that they
            are inferred from, or by as many of them as enough training and calibration cells have.

        Returns
        -------
        Data frame with one row per cell:

        - ``p_value``: the share of calibration cells that score as high. Of cells like these at
          most 5 % have one below 0.05. With n of them (2,000 at most) none is below 1 / (n + 1).
        - ``q_value``: the least false discovery rate at which the cell is novel, among the cells
          asked about (Benjamini and Hochberg 1995).
        - ``score``: the distance.

        All are NaN for a cell without any modality to infer from.

        Raises
        ------
        ConfigError
            The model has no calibration cells, or was saved by a version that kept no reference.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> list(model.get_novelty().columns)
        ['p_value', 'q_value', 'score']
        """
        names = check_given(self.layout, given)
        session = self._session(mdata, indices, batch_size)
        reference = reference_of(self)
        if not knows_novelty(reference):
            msg = (
                "Novelty compares with calibration cells, which training has not seen. Received a "
                "model without any. Train a new one with train_size below 1."
            )
            raise ConfigError(msg)
        return novelty(session, reference, names)


def reference_of(model: Answers) -> Reference:
    """Return the reference of a trained model.

    Raises
    ------
    ConfigError
        It has none.
    """
    reference = model.reference_
    if reference is None:
        msg = (
            "Cells are compared with a reference, which is made at the end of training. Received "
            "a model without one: an earlier version saved it, or its training stopped with an "
            "error. Train it again, model.train(max_epochs=1) suffices."
        )
        raise ConfigError(msg)
    return reference


def knows_novelty(reference: Reference) -> bool:
    """Return whether novelty was calibrated for any set of modalities."""
    return any(len(view.distances) for view in reference.views.values())


def novelty(
    session: InferenceSession, reference: Reference, given: Sequence[str] | None
) -> pd.DataFrame:
    """Return p-value, q-value and score of each cell."""
    comparison = Comparison(reference, session.network)
    table = np.full((len(session), 2), np.nan)
    with evaluating(session.network):
        for rows, batch in session.minibatches():
            names = session.obs_names[rows]
            seen = session.seen(batch, given)
            asked = comparison.asked(session.inference(batch), seen, names)
            score, p_value = comparison.novelty(asked)
            table[rows] = np.stack([p_value.cpu().numpy(), score.cpu().numpy()], axis=1)
    found = pd.DataFrame(table, index=session.obs_names, columns=[P_VALUE, SCORE])
    found.insert(1, Q_VALUE, q_values(table[:, 0]))
    return found


def q_values(p_values: ArrayLike) -> np.ndarray:
    """Return the q-value of each p-value (Benjamini and Hochberg); NaN stays.

    Examples
    --------
    >>> q_values([0.01, np.nan, 0.04]).tolist()
    [0.02, nan, 0.04]
    """
    found = np.array(p_values, dtype=np.float64)
    known = np.isfinite(found)
    if known.any():
        found[known] = false_discovery_control(found[known])
    return found
