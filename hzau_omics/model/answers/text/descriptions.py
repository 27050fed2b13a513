"""The words, terms or texts that describe each cell best."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.model.answers.draws import PredictiveConfig
from hzau_omics.model.answers.text.expected import expected_text
from hzau_omics.model.answers.text.modality import TextModality
from hzau_omics.model.session import InferenceSession

FLOOR = 1e-6
"""Smallest probability of which a logarithm is taken."""


def most_distinctive_features(
    session: InferenceSession,
    config: PredictiveConfig,
    text: TextModality,
    *,
    top: int,
) -> pd.DataFrame:
    """Return the words or terms that set each cell apart, best first."""
    expected = expected_text(session, config, text)[:, text.columns]
    names = np.array(text.encoder.features)[text.columns]
    typical = _typical(text, expected)
    p = expected.clip(FLOOR, 1)
    # Contribution of each word to the divergence of the cell from a typical one.
    contribution = p * np.log(p / typical.clip(FLOOR, 1))
    best = np.argsort(-contribution, axis=1, kind="stable")[:, :top]
    return _ranked(
        session.obs_names,
        {
            "text": names[best],
            "probability": np.take_along_axis(expected, best, axis=1),
            "typical": typical[best],
        },
    )


def _typical(text: TextModality, expected: NDArray[np.float32]) -> NDArray[Any]:
    """Return the share of training texts with each word; the mean of these cells if unknown."""
    unknown = np.full(len(text.encoder.features), np.nan)
    share = np.array(text.encoder.frequency or unknown)[text.columns]
    if text.encoder.likelihood == "multinomial":
        share /= share.sum()
    return np.where(np.isfinite(share), share, expected.mean(axis=0))


def most_probable_texts(probabilities: pd.DataFrame, *, top: int) -> pd.DataFrame:
    """Return the most probable texts of each cell, best first."""
    values = probabilities.to_numpy()
    best = np.argsort(-values, axis=1, kind="stable")[:, :top]
    return _ranked(
        probabilities.index,
        {
            "text": probabilities.columns.to_numpy()[best],
            "probability": np.take_along_axis(values, best, axis=1),
        },
    )


def _ranked(cells: pd.Index, values: Mapping[str, NDArray[Any]]) -> pd.DataFrame:
    top = next(iter(values.values())).shape[1]
    index = pd.MultiIndex.from_product([cells, range(1, top + 1)], names=["cell", "rank"])
    return pd.DataFrame({name: value.ravel() for name, value in values.items()}, index=index)
