"""What the values of an AnnData mean, written beside them for those who get the file alone."""

from collections.abc import Iterable, Mapping
from typing import Any

from hzau_omics._info import __version__
from hzau_omics.model.answers.base import Answers
from hzau_omics.model.answers.draws import PredictiveConfig

KEY = "hzau"
"""Entry of ``uns``."""

MEASURED = "whether the batch of the cell measured the feature"
NOT_TO_TEST = "It is no measurement: do not test it for differences between groups of cells."


def origin(model: Answers) -> dict[str, Any]:
    """Return which model made the values, and its versions."""
    found = {"model": type(model).__name__, "package_version": __version__}
    version = model.model_version_
    return found if version is None else {**found, "model_version": version}


def of_imputed(
    model: Answers,
    config: PredictiveConfig,
    *,
    is_count: bool,
    quantiles: Mapping[str, float],
    layers: Iterable[str],
) -> dict[str, Any]:
    """Return what ``X`` and the layers of imputed values hold.

    Parameters
    ----------
    model
        The model that predicted them.
    config
        What was predicted, from what.
    is_count
        Whether the modality has counts.
    quantiles
        Layer -> its probability.
    layers
        Names of the layers.
    """
    unit = "expected counts" if is_count else "in the units of the data"
    known = {
        **{name: f"quantile {one:g} of predicted values" for name, one in quantiles.items()},
        "log1p_mean": "expected log1p of the counts, to compare with log1p of measured counts",
        "measured": MEASURED,
    }
    return {
        **origin(model),
        "modality": config.modality,
        "inferred_from": "all measured modalities" if config.given is None else list(config.given),
        "n_samples": config.n_samples,
        "X": f"predicted mean of every cell, measured or not ({unit}). {NOT_TO_TEST}",
        "layers": {name: known[name] for name in layers},
    }


def of_features(
    model: Answers,
    modality: str,
    *,
    is_count: bool,
    target_sum: float | None,
    layers: Iterable[str],
    binarized: bool,
) -> dict[str, Any]:
    """Return what ``X`` and the layers of an exported modality hold.

    Parameters
    ----------
    model
        The model that predicted them.
    modality
        The modality.
    is_count
        Whether it has counts.
    target_sum
        Total that expected values are scaled to; None for no scaling.
    layers
        Names of the layers.
    binarized
        Whether measured values are 0 or 1, as the model read them.
    """
    values = "1 where a count above 0 was measured" if binarized else "measured values"
    expected = "expected counts" if is_count else "expected values, in the units of the data"
    if target_sum is not None:
        expected = f"expected expression, of a total of {target_sum:,.0f} in each cell"
    known = {
        "counts": f"{values}, 0 in cells without the modality",
        "imputed": "predicted mean, in the units of the data",
        "normalized": f"{expected}, measured or not. {NOT_TO_TEST}",
        "measured": MEASURED,
    }
    return {
        **origin(model),
        "modality": modality,
        "X": f"{'log1p of ' if is_count else ''}{expected}, measured or not. {NOT_TO_TEST}",
        "layers": {name: known[name] for name in layers},
    }
