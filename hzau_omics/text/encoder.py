"""The protocol that every text encoder follows."""

from collections.abc import Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

type Vectors = NDArray[np.float32]
type Sparse = sparse.csr_matrix

KIND = "kind"
"""Entry of a record that names the kind of encoder."""


@runtime_checkable
class TextEncoder(Protocol):
    """Maps texts to vectors, and compares vectors with queries."""

    @property
    def likelihood(self) -> str:
        """Likelihood that suits the vectors."""
        ...

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        ...

    @property
    def has_named_features(self) -> bool:
        """Whether each feature has a meaning of its own, as a word or a term has.

        The dimensions of a sentence embedding do not: they are matched by position, and a part of
        them is of no use.
        """
        ...

    @property
    def frequency(self) -> tuple[float, ...]:
        """Share of the training texts that have each feature; empty if unknown."""
        ...

    def only(self, positions: Sequence[int]) -> Self:
        """Return an encoder of some of the features.

        Raises
        ------
        ConfigError
            The features have no meaning of their own.
        """
        ...

    def counted(self, texts: Sequence[str]) -> Self:
        """Return the encoder with the frequency of its features in some texts."""
        ...

    def encode(self, texts: Sequence[str]) -> Sparse | Vectors:
        """Return vectors (text, feature); a row of zeros if nothing of a text is understood."""
        ...

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that the encoder does not know."""
        ...

    def read_as(self, text: str) -> list[str]:
        """Return how the encoder interprets a text: its known words, or terms."""
        ...

    def score(self, predicted: Vectors, queries: Vectors) -> Vectors:
        """Return how well cells match queries (cell, query); higher is closer.

        Parameters
        ----------
        predicted
            Expected vectors of the cells (cell, feature).
        queries
            Vectors of the queries (query, feature).
        """
        ...

    def similarity(self, predicted: Vectors, candidates: Vectors) -> Vectors:
        """Return the similarity of cells to whole texts (cell, candidate), from -1 to 1."""
        ...

    def record(self) -> dict[str, Any]:
        """Return plain values from which the encoder can be rebuilt."""
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
