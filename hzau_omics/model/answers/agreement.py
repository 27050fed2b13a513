"""Agreement: whether the modalities of a cell come from one cell."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from hzau_omics.checks import check_choice
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.session import InferenceSession, evaluating
from hzau_omics.nn.reliability.evidence import pairs_of
from hzau_omics.nn.scoring.measurements import MeasurementScores

AGREEMENT_KINDS = ("score", "pvalue")


class Agreement(Answers):
    """Agreement of modalities."""

    def get_agreement(
        self,
        mdata: Cells = None,
        *,
        kind: Literal["score", "pvalue"] = "score",
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return how strongly the modalities of each cell disagree, for each pair of modalities.

        The score is minus the log of the integral of q(z | x_1) q(z | x_2) / p(z), in nats: the log
        ratio of "two independent cells" to "one cell". It is high for swapped samples, mislabelled
        cells and doublets, and where one measurement has failed. One cell alone cannot tell which
        of the two is wrong (:meth:`get_reliability` assesses each of them).

        Parameters
        ----------
        kind
            ``"score"``, or ``"pvalue"``: the share of calibration cells, whose modalities belong
            together, that score as high or higher. Of good held-out cells, 5 % have a p-value below
            0.05; of training cells fewer, since training has made their modalities agree. Correct
            for the number of cells that you test. With n calibration cells (of which 10,000 at most
            are kept), no p-value is below 1 / (n + 1).
        mdata, indices, batch_size
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Data frame (cells, pairs), columns such as ``"rna|adt"``; NaN where a cell lacks one, and
        for cells of new batches.

        Raises
        ------
        ConfigError
            `kind` is unknown; the model has one modality only, or never infers from one alone; or
            ``kind="pvalue"`` and the model has too few calibration cells to compare with.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> list(model.get_agreement().columns)
        ['rna|adt']
        """
        check_choice("kind", kind, AGREEMENT_KINDS)
        return agreement(self._session(mdata, indices, batch_size), kind=kind)


def agreement(session: InferenceSession, *, kind: str) -> pd.DataFrame:
    """Return how strongly each pair disagrees, or how rare that is; NaN where one is absent."""
    network = session.network
    names = network.modalities
    pairs = pairs_of(len(names))
    if not pairs:
        msg = (
            f"Agreement needs two modalities. Received a model of {names[0]} only. Set up another "
            "with setup_mudata, and build a system of several modalities, such as HZAUVAE or MVAE."
        )
        raise ConfigError(msg)
    values, p_values = np.full((2, len(session), len(pairs)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            scores = MeasurementScores(network, batch)
            values[rows] = scores.agreement.cpu().numpy()
            p_values[rows] = agreement_p_value_of(scores).cpu().numpy()
    columns = pair_names(names)
    known = session.cells[session.store.batch[session.cells] < network.config.n_batches]
    both = [session.store.present[known][:, pair].all(-1).any() for pair in pairs]
    if any(both) and np.isnan(values).all():
        msg = (
            "Agreement compares posteriors of one modality each. Received a model that infers "
            f"from {', '.join(network.family.names)} only. Take a system with an expert for each "
            "modality, such as HZAUVAE or MVAE."
        )
        raise ConfigError(msg)
    if kind == "score":
        return pd.DataFrame(-values, index=session.obs_names, columns=columns)
    if not network.reliability.agreement.is_fitted.any():
        msg = (
            "p-values compare with calibration cells that have both modalities, at least 25. "
            "Received a model with fewer. Train a new one with a smaller train_size, or take "
            "kind='score'."
        )
        raise ConfigError(msg)
    return pd.DataFrame(p_values, index=session.obs_names, columns=columns)


def agreement_p_value_of(scores: MeasurementScores) -> Float[Tensor, "cell pair"]:
    """Return the p-value of each pair's agreement in a minibatch."""
    model = scores.network.reliability
    return model.agreement_p_value(scores.agreement, scores.batch.batch)


def pair_names(modalities: Sequence[str]) -> list[str]:
    """Return names of all pairs of modalities.

    Examples
    --------
    >>> pair_names(["rna", "adt"])
    ['rna|adt']
    """
    return [f"{modalities[a]}|{modalities[b]}" for a, b in pairs_of(len(modalities))]
