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
    texts = text_list(queries)
    check_distinct("query", texts)
    vectors = text.encode(texts)
    scores = text.encoder.score(expected_text(session, config, text), vectors)
    columns = ["score"] if isinstance(unwrap(queries), str) else texts
    result = pd.DataFrame(scores, index=session.obs_names, columns=columns)
    result.attrs["read_as"] = {query: text.encoder.read_as(query) for query in texts}
    result.attrs["unknown"] = {query: text.encoder.unknown(query) for query in texts}
    return result


def text_list(texts: Texts) -> list[str]:
    """Return one or several texts as a list.

    Raises
    ------
    TypeError
        A text is not a string.
    """
    plain = as_list(texts)
    for text in plain:
        if not isinstance(text, str):
            msg = (
                f"A text must be a string. Received {shown(text)} of type {type(text).__name__}. "
                "Pass a string or a list of strings."
            )
            raise TypeError(msg)
    return plain
