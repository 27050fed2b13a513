"""Labels of cells, predicted from labelled training cells."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hzau_omics.checks import INNER_SHARE, check_flag, check_number
from hzau_omics.data.pitfalls.warning import warn_user
from hzau_omics.errors import ConfigError
from hzau_omics.messages import listed
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.comparison import Asked, Comparison
from hzau_omics.model.answers.hierarchy import Ancestors, check_hierarchy, first_certain
from hzau_omics.model.answers.novelty import knows_novelty, reference_of
from hzau_omics.model.reference import Reference, Subset
from hzau_omics.model.session import InferenceSession, check_given, evaluating
from hzau_omics.nn.labels.conformal import prediction_sets, thresholds
from hzau_omics.nn.novelty.distance import neighbour_rank

UNKNOWN_LABEL = "unknown"
CONVINCING, NOVEL = 0.5, 0.01
"""Probability below which no label is given, and p-value of novelty below which none is either."""


class Labels(Answers):
    """Prediction of labels."""

    def predict_labels(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        given: str | Sequence[str] | None = None,
        soft: bool = True,
        coverage: float = 0.99,
        hierarchy: Mapping[str, str | Sequence[str]] | None = None,
        certain: float = 0.9,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Predict the label of each cell, for models that were set up with ``labels_key``.

        Labelled training cells vote, weighted by how well their posteriors agree with the cell's;
        how far votes reach is learned on calibration cells (docs/method.md, equation 43). The
        cell's own label, if it has one, does not count.

        Parameters
        ----------
        mdata, indices, given, batch_size
            As in :meth:`get_latent_representation`. Cells are compared by the modalities that they
            are inferred from, or by as many of them as enough labelled training cells have.
        soft
            Whether to return probabilities; False returns one label and a set of labels.
        coverage
            Share of cells whose set holds the true label.
        hierarchy
            Label -> broader label, or -> list of broader ones, the nearest first; broader labels
            may be mapped further. For ``soft=False``: a cell gets its most likely label if that is
            certain, otherwise the first broader one that is.
        certain
            Least probability of a certain label, with a hierarchy.

        Returns
        -------
        With ``soft=True`` a data frame (cells, labels) of probabilities, NaN for a cell without any
        modality to infer from. Otherwise one row per cell:

        - ``label``: the most likely label; ``"unknown"`` where its probability is below 0.5 (with
          a hierarchy: where nothing is certain), or where the p-value of :meth:`get_novelty` is
          below 0.01, unless the label is so rare that its own cells look novel (fewer training
          cells than k there).
        - ``probability``: of this label, or of the most likely one.
        - ``set``: labels joined by ``"|"``, of which one is the true one with a probability of
          `coverage` for cells like the calibration cells (docs/method.md, equation 44). It is never
          empty.
        - ``set_size``: their number.

        Raises
        ------
        ConfigError
            The model was set up without labels, its training cells have fewer than two different
            ones, or it was saved by a version that kept no reference.

        Warns
        -----
        HzauWarning
            There are too few labelled calibration cells for this coverage: sets hold all labels.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"}, labels_key="cell_type")
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> model.predict_labels(indices=[0, 1]).shape[0]
        2
        """
        names = check_given(self.layout, given)
        soft = check_flag("soft", soft)
        coverage = check_number("coverage", coverage, INNER_SHARE)
        certain = check_number("certain", certain, INNER_SHARE)
        session = self._session(mdata, indices, batch_size)
        reference = labelled_reference(self)
        labels = registered_labels(self)
        above = None if hierarchy is None else check_hierarchy(hierarchy, labels)
        if above is not None and soft:
            msg = (
                "A hierarchy decides which one label a cell gets. Received one with soft=True. "
                "Pass soft=False, or leave it out."
            )
            raise ConfigError(msg)
        votes = _voted(session, reference, labels, names, None if soft else coverage)
        if soft:
            return pd.DataFrame(votes.probability, index=session.obs_names, columns=list(labels))
        if votes.lacks_calibration:
            _warn_of_full_sets(coverage)
        rare = rare_labels(reference, len(labels))
        label, probability = hard_labels(
            votes.probability, votes.p_value, labels, rare=rare, above=above, certain=certain
        )
        columns = {
            "label": label,
            "probability": probability,
            "set": ["|".join(np.asarray(labels)[row]) for row in votes.sets],
            "set_size": votes.sets.sum(axis=1),
        }
        return pd.DataFrame(columns, index=session.obs_names)


class _Votes(NamedTuple):
    """Probabilities (cell, label), sets (cell, label) and p-values of novelty."""

    probability: NDArray[np.float32]
    sets: NDArray[np.bool_]
    p_value: NDArray[np.float32]
    lacks_calibration: bool


def registered_labels(model: Answers) -> tuple[str, ...]:
    """Return the registered labels of a model.

    Raises
    ------
    ConfigError
        It was set up without labels.
    """
    if model.layout.labels is None:
        msg = (
            "Labels are predicted from labelled training cells. Received a model that was set up "
            "without labels. Give labels_key to setup_mudata, and train a new model; cells may "
            "lack a label."
        )
        raise ConfigError(msg)
    return tuple(model.layout.labels.categories)


def labelled_reference(model: Answers) -> Reference:
    """Return the reference of a model whose training cells have labels.

    Raises
    ------
    ConfigError
        They have fewer than two different ones, or there is no reference.
    """
    labels = registered_labels(model)
    reference = reference_of(model)
    if not knows_labels(reference):
        codes = np.unique(reference.labels[reference.labels >= 0])
        msg = (
            "Labels are predicted among at least two labels that training cells with the same "
            f"modalities have. Received {listed(labels[i] for i in codes)}. Label more cells, and "
            "train a new model."
        )
        raise ConfigError(msg)
    return reference


def knows_labels(reference: Reference) -> bool:
    """Return whether labels can be predicted from any set of modalities."""
    return any(view.votes is not None for view in reference.views.values())


def _voted(
    session: InferenceSession,
    reference: Reference,
    labels: Sequence[str],
    given: Sequence[str] | None,
    coverage: float | None,
) -> _Votes:
    """Return the votes on all cells; sets and novelty only for a coverage."""
    comparison = Comparison(reference, session.network)
    shape = (len(session), len(labels))
    probability, sets = np.full(shape, np.nan, np.float32), np.ones(shape, bool)
    p_value = np.full(len(session), np.nan, np.float32)
    limits = {} if coverage is None else _limits(reference, len(labels), coverage)
    lacking = False
    with evaluating(session.network):
        for rows, batch in session.minibatches():
            names, seen = session.obs_names[rows], session.seen(batch, given)
            asked: Asked = comparison.asked(session.inference(batch), seen, names)
            votes, groups = comparison.log_votes(asked, len(labels))
            probability[rows] = votes.exp().cpu().numpy()
            if coverage is None:
                continue
            if knows_novelty(reference):
                p_value[rows] = comparison.novelty(asked)[1].cpu().numpy()
            for group in groups:
                limit = limits[group.given].to(votes.device)
                lacking = lacking or bool(limit.isinf().all())
                chosen = prediction_sets(-votes[group.rows], limit)
                sets[rows[group.rows.cpu().numpy()]] = chosen.cpu().numpy()
    return _Votes(probability, sets, p_value, lacking)


def rare_labels(reference: Reference, n_labels: int) -> NDArray[np.bool_]:
    """Return which labels too few reference cells have for novelty to be told beside them."""
    known = reference.labels[reference.labels >= 0]
    counts = np.bincount(known, minlength=n_labels)
    return np.asarray(counts < neighbour_rank(len(reference.names)))


def _limits(reference: Reference, n_labels: int, coverage: float) -> dict[Subset, Tensor]:
    """Return the threshold of each label, for each set of modalities that labels follow from."""
    return {
        given: thresholds(view.votes.scores, view.votes.labels.long(), n_labels, coverage)
        for given, view in reference.views.items()
        if view.votes is not None
    }


def _warn_of_full_sets(coverage: float) -> None:
    needed = int(np.ceil(round(coverage / (1 - coverage), 6)))
    warn_user(
        f"Sets of labels with a coverage of {coverage} need at least {needed:,} calibration cells "
        "with a label and the same modalities. There are fewer, so that these sets hold all "
        "labels. Lower coverage, or train a new model with a smaller train_size."
    )


def hard_labels(
    probability: NDArray[np.floating],
    p_value: NDArray[np.floating],
    labels: Sequence[str],
    *,
    rare: NDArray[np.bool_],
    above: Ancestors | None = None,
    certain: float = CONVINCING,
) -> tuple[list[str], NDArray[np.float64]]:
    """Return one label for each cell, and its probability.

    Parameters
    ----------
    probability
        Probability of each label (cell, label), NaN where a cell cannot be compared.
    p_value
        p-value of the novelty of each cell, NaN where it is not known.
    labels
        The labels.
    rare
        Labels beside which novelty cannot be told: a cell that is most likely of one keeps it.
    above
        Ancestors of each label; without them, labels need a probability of 0.5.
    certain
        Least probability of a label, with ancestors.

    Examples
    --------
    >>> probability, rare = np.array([[0.8, 0.2], [0.8, 0.2], [0.1, 0.9]]), np.array([False, True])
    >>> hard_labels(probability, np.array([0.3, 0.001, 0.001]), ["T", "B"], rare=rare)[0]
    ['T', 'unknown', 'B']
    """
    least = CONVINCING if above is None else certain
    above = dict.fromkeys(labels, ()) if above is None else above
    names, found = first_certain(probability, labels, above, certain=least)
    novel = (p_value < NOVEL) & ~rare[probability.argmax(axis=1)]
    return [
        UNKNOWN_LABEL if name is None or new else name
        for name, new in zip(names, novel, strict=True)
    ], found
