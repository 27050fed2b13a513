"""What the model expects the text of each cell to be."""

import numpy as np

from hzau_omics.model.answers.draws import PredictiveConfig, expected_values
from hzau_omics.model.answers.text.modality import TextModality
from hzau_omics.model.session import InferenceSession
from hzau_omics.text.encoder import Vectors


def expected_text(
    session: InferenceSession, config: PredictiveConfig, text: TextModality
) -> Vectors:
    """Return the expected text vector of each cell (cell, feature of the encoder)."""
    own = expected_values(session, config)
    values = np.zeros((len(own), len(text.encoder.features)), np.float32)
    values[:, text.columns] = own
    if text.encoder.likelihood == "multinomial":
        # Shares of the words, so that the length of a cell's own text has no effect.
        values /= values.sum(axis=1, keepdims=True)
    return values
