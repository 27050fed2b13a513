"""Which of some candidate texts describes each cell best."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.special import softmax

from hzau_omics.checks import as_list, shown
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.draws import PredictiveConfig
from hzau_omics.model.answers.text.expected import expected_text
from hzau_omics.model.answers.text.modality import TextModality
from hzau_omics.model.answers.text.queries import Texts, text_list
from hzau_omics.model.session import InferenceSession

DEFAULT_TEMPERATURE = 0.1
"""Temperature of a modality that could not be calibrated on calibration cells."""

type Candidates = Mapping[str, Texts] | Sequence[str]


def candidate_probabilities(
    session: InferenceSession,
    config: PredictiveConfig,
    text: TextModality,
    candidates: Candidates,
    temperature: float,
) -> pd.DataFrame:
    """Return the probability of each candidate text (cell, candidate); rows sum to 1."""
    wordings = _wordings(candidates)
    flat = [wording for of in wordings.values() for wording in of]
    vectors = text.encode(flat)
    similarity = text.encoder.similarity(expected_text(session, config, text), vectors)
    owner = np.repeat(np.arange(len(wordings)), [len(of) for of in wordings.values()])
    mean = np.stack([similarity[:, owner == i].mean(axis=1) for i in range(len(wordings))], axis=1)
    shares = softmax(mean / temperature, axis=1)
    return pd.DataFrame(shares, index=session.obs_names, columns=list(wordings))


def _wordings(candidates: Candidates) -> dict[str, list[str]]:
    """Return the wordings of each candidate.

    Raises
    ------
    ConfigError
        There are fewer than two candidates, or one twice.
    """
    if isinstance(candidates, Mapping):
        found = {str(name): text_list(of) for name, of in candidates.items()}
    else:
        found = {text: [text] for text in text_list(candidates)}
    size = len(candidates if isinstance(candidates, Mapping) else as_list(candidates))
    if size < 2 or len(found) < size or not all(found.values()):
        msg = (
            "candidates must be at least two different texts, or a mapping from names to one or "
            f"more wordings each. Received {shown(candidates)}. Leave out repeated texts and "
            "names without a wording."
        )
        raise ConfigError(msg)
    return found
