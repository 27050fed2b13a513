"""What every encoder of text offers, and encoders rebuilt from what is stored of them."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from hzau_omics.errors import ConfigError

type Vectors = NDArray[np.float32]
type Sparse = sparse.csr_matrix

KIND = "kind"


class TextEncoder(Protocol):
    """Texts to vectors, and how close vectors are."""

    @property
    def likelihood(self) -> str:
        """Likelihood that suits the vectors."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        ...

    def encode(self, texts: Sequence[str]) -> Sparse | Vectors:
        """Return vectors (text, feature); a row of zeros where nothing is understood."""
        ...

    def unknown(self, text: str) -> list[str]:
        """Return the words that the encoder does not know."""
        ...

    def read_as(self, text: str) -> list[str]:
        """Return what the encoder takes a text for: its known words, or terms."""
        ...

    def score(self, predicted: Vectors, queries: Vectors) -> Vectors:
        """Return how close cells are to queries (cell, query), higher is closer.

        Parameters
        ----------
        predicted
            Expected vectors of the cells (cell, feature).
        queries
            Vectors of the queries (query, feature).
        """
        ...

    def similarity(self, predicted: Vectors, candidates: Vectors) -> Vectors:
        """Return how like cells are to whole texts, (cell, candidate), from -1 to 1."""
        ...

    def record(self) -> dict[str, Any]:
        """Return what it takes to rebuild the encoder, as plain values."""
        ...


def cosine(a: Vectors, b: Vectors, weight: Vectors | float = 1.0) -> Vectors:
    """Return cosines of weighted rows (row of a, row of b); 0 for rows of zeros.

    Examples
    --------
    >>> import numpy as np
    >>> cosine(np.eye(2), np.array([[2.0, 0.0]])).ravel().tolist()
    [1.0, 0.0]
    """
    return np.asarray(_unit(a * weight) @ _unit(b * weight).T)


def _unit(rows: Vectors) -> Vectors:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(length > 0, length, 1.0))


def dense(vectors: Sparse | Vectors) -> Vectors:
    """Return vectors as an array."""
    values: Any = vectors
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float32)


def encoder_from_record(record: Mapping[str, Any], model: object = None) -> TextEncoder:
    """Rebuild an encoder from its record, as in ``mdata[name].uns["text"]``.

    Parameters
    ----------
    record
        Result of `record`; arrays in place of lists, as a file gives them back, are fine.
    model
        What turns sentences into vectors, where the record does not name a model that can be
        loaded: a callable.

    Raises
    ------
    ConfigError
        The record is of no known kind, or names a callable that is not at hand.

    Examples
    --------
    >>> from hzau_omics.text import BagOfWords
    >>> bag = BagOfWords.fit(["B cell", "T cell"])
    >>> encoder_from_record(bag.record()).features
    ('b', 'cell', 't')
    """
    from hzau_omics.text.bag import BagOfWords
    from hzau_omics.text.sentences import SentenceEncoder
    from hzau_omics.text.terms import TermEncoder

    kind = str(record.get(KIND, BagOfWords.kind))
    if kind == BagOfWords.kind:
        return BagOfWords.from_record(record)
    if kind == SentenceEncoder.kind:
        return SentenceEncoder.from_record(record, model)
    if kind == TermEncoder.kind:
        return TermEncoder.from_record(record, model)
    msg = f"A text encoder is of kind 'bag', 'sentences' or 'terms'. Received {kind!r}."
    raise ConfigError(msg)
