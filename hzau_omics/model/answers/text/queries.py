"""Cells ranked by a query in words."""

from collections.abc import Sequence

import pandas as pd

from hzau_omics.checks import as_list, check_distinct, shown, unwrap
from hzau_omics.model.answers.draws import PredictiveConfig
from hzau_omics.model.answers.text.expected import expected_text
from hzau_omics.model.answers.text.modality import TextModality
from hzau_omics.model.session import InferenceSession

type Texts = str | Sequence[str]


def score_cells(
    session: InferenceSession, config: PredictiveConfig, text: TextModality, queries: Texts
) -> pd.DataFrame:
    """Return how well each cell matches each query; a single query has the column ``score``."""
    asked = text_list(queries)
    check_distinct("query", asked)
    vectors = text.encode(asked)
    scores = text.encoder.score(expected_text(session, config, text), vectors)
    columns = ["score"] if isinstance(unwrap(queries), str) else asked
    result = pd.DataFrame(scores, index=session.obs_names, columns=columns)
    result.attrs["read_as"] = {one: text.encoder.read_as(one) for one in asked}
    result.attrs["unknown"] = {one: text.encoder.unknown(one) for one in asked}
    return result


def text_list(texts: Texts) -> list[str]:
    """Return one or several texts as a list.

    Raises
    ------
    TypeError
        One is not a string.
    """
    found = as_list(texts)
    for text in found:
        if not isinstance(text, str):
            msg = (
                f"A text must be a string. Received {shown(text)} of type {type(text).__name__}. "
                "Pass a string or a list of strings."
            )
            raise TypeError(msg)
    return found
