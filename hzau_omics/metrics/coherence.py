"""Cross-modal coherence: whether generated samples show what they were generated from."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse
from sklearn.base import ClassifierMixin, clone
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from hzau_omics.arrays import unmasked
from hzau_omics.checks import LARGEST_SEED_OF_SKLEARN, check_seed

ENOUGH_TO_STOP_EARLY = 2_000
"""Real samples of which a tenth tells well when training should end."""


class Coherence(NamedTuple):
    """Accuracy of a classifier on generated samples, and what it could be at most.

    Attributes
    ----------
    generated
        Share of generated samples that the classifier takes for what they should be.
    real
        Its accuracy on real samples that it was not trained on: the level of perfect samples.
    """

    generated: float
    real: float


def coherence(
    generated: Any,
    wanted: ArrayLike,
    real: Any,
    labels: ArrayLike,
    *,
    classifier: ClassifierMixin | None = None,
    seed: int = 0,
) -> Coherence:
    """Return how many generated samples a classifier takes for what they were generated from.

    The classifier is trained on nine tenths of the real samples and tested on the rest. A generator
    that always gives one good sample per label scores high: look at the samples too.

    Parameters
    ----------
    generated
        Generated samples (sample, feature), dense or sparse; log1p of counts.
    wanted
        Label that each was generated from.
    real
        Real samples (sample, feature), transformed in the same way.
    labels
        Label of each.
    classifier
        Any classifier of scikit-learn; a network with 256 hidden units, on features scaled by their
        largest values, if None.
    seed
        Seed of the split and of the network.

    Returns
    -------
    Accuracies in [0, 1], higher is better.

    Raises
    ------
    ValueError
        Numbers of samples and labels differ, or a wanted label is not among the real ones.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> labels = np.repeat(["B", "T"], 100)
    >>> real = rng.poisson(5, (200, 4)) + 20 * (labels == "T")[:, None]
    >>> coherence(real[::2], labels[::2], real, labels).generated
    1.0
    """
    seed = check_seed("seed", seed, most=LARGEST_SEED_OF_SKLEARN)
    known, target = np.asarray(unmasked(labels)), np.asarray(unmasked(wanted))
    generated, real = (
        x.tocsr() if sparse.issparse(x) else np.asarray(unmasked(x)) for x in (generated, real)
    )
    for name, values, names in (("generated", generated, target), ("real", real, known)):
        if values.shape[0] != len(names) or not len(names):
            msg = f"Every {name} sample has a label. Received {values.shape[0]} and {len(names)}."
            raise ValueError(msg)
    unknown = set(target.tolist()) - set(known.tolist())
    if unknown:
        msg = f"Wanted labels must be among those of real samples. Unknown: {sorted(unknown)[:5]}."
        raise ValueError(msg)
    if classifier is None:
        early = len(known) >= ENOUGH_TO_STOP_EARLY
        network = MLPClassifier((256,), early_stopping=early, max_iter=500, random_state=seed)
        classifier = make_pipeline(MaxAbsScaler(), network)
    train, test = train_test_split(np.arange(len(known)), test_size=0.1, random_state=seed)
    fitted = clone(classifier).fit(real[train], known[train])
    return Coherence(
        generated=float(np.mean(fitted.predict(generated) == target)),
        real=float(np.mean(fitted.predict(real[test]) == known[test])),
    )
