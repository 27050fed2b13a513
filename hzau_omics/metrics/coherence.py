"""Cross-modal coherence: whether generated samples match the labels they were generated from."""

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
"""Number of real samples from which a tenth of them suffices to decide when training ends."""


class Coherence(NamedTuple):
    """Accuracy of a classifier on generated samples, and on real ones for comparison.

    Attributes
    ----------
    generated
        Share of generated samples that the classifier assigns to the label they were generated
        from.
    real
        Accuracy on real samples that were not used for training: what perfect samples would reach.
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
    """Return the share of generated samples that a classifier assigns to the right label.

    The classifier is trained on nine tenths of the real samples and tested on the rest. A generator
    that always returns the same good sample of a label scores high: look at the samples too.

    Parameters
    ----------
    generated
        Generated samples (sample, feature), dense or sparse; for counts, their log1p.
    wanted
        Label that each sample was generated from.
    real
        Real samples (sample, feature), transformed in the same way.
    labels
        Label of each real sample.
    classifier
        Any classifier of scikit-learn. None takes a network with 256 hidden units, on features
        scaled by their largest values.
    seed
        Seed of the split and of the network.

    Returns
    -------
    Accuracies in [0, 1], higher is better.

    Raises
    ------
    ValueError
        Numbers of samples and labels differ, there are none, or no real sample has a wanted label.

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
            msg = (
                f"Every {name} sample must have a label, and there must be some. Received "
                f"{values.shape[0]} samples and {len(names)} labels. Pass the labels of the same "
                "samples."
            )
            raise ValueError(msg)
    unknown = set(target.tolist()) - set(known.tolist())
    if unknown:
        msg = (
            "Wanted labels must be among those of real samples. Received others: "
            f"{sorted(unknown)[:5]}. Add real samples of them, or leave them out."
        )
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
