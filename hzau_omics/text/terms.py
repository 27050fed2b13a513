"""Texts as terms of an ontology, together with all ancestors of these terms."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hzau_omics.checks import check_integer
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text.encoder import KIND, Vectors, cosine
from hzau_omics.text.ontology import CELL_ONTOLOGY, Ontology, Term, TermVectors, cell_ontology
from hzau_omics.text.sentences import SentenceEncoder
from hzau_omics.text.session_registry import SESSION

SHARPNESS = 4
"""Power to which similarities are raised to become weights of terms."""

LEAST_WORDS, LEAST_SENTENCE = 0.15, 0.5
"""Best similarity below which a text counts as not understood, without and with embeddings."""


@dataclass(frozen=True, eq=False)
class TermEncoder:
    """Texts as terms and their ancestors.

    An identifier or a name stands for its term. Any other text stands for the few terms most
    similar to it (:meth:`Ontology.search`), with weights that sum to 1. Every ancestor of a term
    gets the term's weight: a text about a B cell is also about a lymphocyte. Words that no training
    text has are therefore understood if the ontology knows them, and a cell type that was never
    labelled shares ancestors with types that were.

    Attributes
    ----------
    terms
        Identifiers of the terms that are dimensions.
    ontology
        The ontology; None for the Cell Ontology.
    sentences
        Encoder of sentences that helps to find terms; None searches by words only.
    top
        Largest number of terms that a text stands for.
    frequency
        Mean weight of each term over the training texts.

    Examples
    --------
    >>> ontology = Ontology(
    ...     [Term("X:1", "cell"), Term("X:2", "B cell", parents=("X:1",))], name="X"
    ... )
    >>> encoder = TermEncoder.fit(["B cells"], ontology)
    >>> encoder.features, encoder.encode(["B cell", "cell"]).tolist()
    (('cell', 'B cell'), [[1.0, 1.0], [1.0, 0.0]])
    """

    kind = "terms"
    likelihood = "bernoulli"
    has_named_features: ClassVar[bool] = True

    terms: tuple[str, ...]
    ontology: Ontology
    sentences: SentenceEncoder | None = None
    top: int = 5
    frequency: tuple[float, ...] = ()
    _found: dict[str, list[tuple[Term, float]]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Check the terms, and register the ontology for this session.

        Raises
        ------
        DataContractError
            There are no terms, or one is not in the ontology.
        """
        object.__setattr__(self, "top", check_integer("top", self.top))
        missing = [term for term in self.terms if term not in self.ontology.terms]
        if missing or not self.terms:
            msg = (
                "The dimensions of a term encoder are terms of its ontology. "
                f"{self.ontology!r} lacks {missing[:5]} ({len(missing)} of {len(self.terms)}). "
                "Use the version that the model was trained with."
            )
            raise DataContractError(msg)
        SESSION.add_ontology(self.ontology)

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        ontology: Ontology | None = None,
        *,
        sentences: SentenceEncoder | None = None,
        top: int = 5,
    ) -> "TermEncoder":
        """Make an encoder of the terms that some texts stand for, and all their ancestors.

        Parameters
        ----------
        texts
            Texts; each distinct one is searched for once.
        ontology, sentences, top
            As the attributes of the class; the ontology None is the Cell Ontology.

        Raises
        ------
        DataContractError
            No text is understood.
        """
        ontology = cell_ontology() if ontology is None else ontology
        known = list(texts)
        root = next(iter(ontology.terms))
        share = cls((root,), ontology, sentences, top)._shares(known)
        if not share:
            msg = (
                f"At least one text must match a term of {ontology!r}. None of the "
                f"{len(set(known))} texts is understood as a term, such as "
                f"{next(iter(known), '')[:80]!r}. Rename them, or encode their words with "
                "add_text_modality."
            )
            raise DataContractError(msg)
        ordered = sorted(share, key=lambda term: (ontology.information[term], term))
        frequency = tuple(_as_frequency(share[term]) for term in ordered)
        return cls(tuple(ordered), ontology, sentences, top, frequency)

    def only(self, positions: Sequence[int]) -> "TermEncoder":
        """Return an encoder of some of the terms."""
        return replace(
            self,
            terms=tuple(self.terms[i] for i in positions),
            frequency=tuple(self.frequency[i] for i in positions) if self.frequency else (),
        )

    def counted(self, texts: Sequence[str]) -> "TermEncoder":
        """Return the same terms with their mean weight over some texts."""
        share = self._shares(texts)
        frequency = tuple(_as_frequency(share.get(term, 0.0)) for term in self.terms)
        return replace(self, frequency=frequency)

    def _shares(self, texts: Sequence[str]) -> dict[str, float]:
        """Return the mean weight over texts of every term that one of them stands for."""
        weights = {text: self.memberships(text) for text in dict.fromkeys(texts)}
        share: dict[str, float] = {}
        for text in texts:
            for term, weight in weights[text].items():
                share[term] = share.get(term, 0.0) + weight / len(texts)
        return share

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the terms, with the identifier where several share a name."""
        labels = [self.ontology.terms[term].label for term in self.terms]
        return tuple(
            label if labels.count(label) == 1 else f"{label} ({term})"
            for label, term in zip(labels, self.terms, strict=True)
        )

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """Information content of each term, in nats: see :attr:`Ontology.information`."""
        return np.array([self.ontology.information[term] for term in self.terms], np.float32)

    def found(self, text: str) -> list[tuple[Term, float]]:
        """Return the terms that a text stands for, and their weights, which sum to 1."""
        if text not in self._found:
            hits = self.ontology.search(text, top=self.top, vectors=self._vectors)
            least = LEAST_WORDS if self.sentences is None else LEAST_SENTENCE
            hits = hits if hits and hits[0][1] >= least else []
            weight = np.array([likeness for _, likeness in hits]) ** SHARPNESS
            self._found[text] = [
                (term, float(w)) for (term, _), w in zip(hits, weight / weight.sum(), strict=True)
            ]
        return self._found[text]

    def memberships(self, text: str) -> dict[str, float]:
        """Return the weights of a text's terms and of all their ancestors."""
        result: dict[str, float] = {}
        for term, weight in self.found(text):
            for ancestor in self.ontology.ancestors(term.id):
                result[ancestor] = min(result.get(ancestor, 0.0) + weight, 1.0)
        return result

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return weights (text, term) from 0 to 1; zeros if no term is found for a text."""
        position = {term: i for i, term in enumerate(self.terms)}
        vectors = np.zeros((len(texts), len(self.terms)), np.float32)
        for row, text in enumerate(texts):
            for term, weight in self.memberships(text).items():
                if term in position:
                    vectors[row, position[term]] = weight
        return vectors

    def unknown(self, text: str) -> list[str]:
        """Return the text if no term is found for it."""
        return [] if self.found(text) else [text]

    def read_as(self, text: str) -> list[str]:
        """Return the names of the terms that a text stands for, best first."""
        return [term.label for term, _ in self.found(text)]

    def score(self, predicted: Vectors, queries: Vectors) -> Vectors:
        """Return cosines, with terms weighted by their information content."""
        return self.similarity(predicted, queries)

    def similarity(self, predicted: Vectors, candidates: Vectors) -> Vectors:
        """Return cosines, with terms weighted by their information content."""
        return cosine(predicted, candidates, np.sqrt(self.weight))

    @property
    def _vectors(self) -> TermVectors | None:
        if self.sentences is None:
            return None
        return SESSION.vectors_of(self.ontology, self.sentences.name, self.sentences.encode)

    def record(self) -> dict[str, Any]:
        """Return terms and settings as plain values, without the ontology itself."""
        sentences = {} if self.sentences is None else {"sentences": self.sentences.record()}
        return {
            KIND: self.kind,
            "ontology": self.ontology.name,
            "version": self.ontology.version,
            "digest": self.ontology.digest,
            "terms": list(self.terms),
            "frequency": list(self.frequency),
            "top": self.top,
            **sentences,
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any], model: object = None) -> "TermEncoder":
        """Rebuild the encoder; a user's own ontology must have been used in this session.

        Raises
        ------
        ConfigError
            The ontology, or the callable that helps to find terms, is not registered in this
            session.
        """
        ontology = _find_ontology(record)
        stored = record.get("sentences")
        sentences = None
        if stored is not None:
            sentences = SentenceEncoder.from_record(stored, model)
        return cls(
            terms=tuple(str(term) for term in record["terms"]),
            ontology=ontology,
            sentences=sentences,
            top=int(record["top"]),
            frequency=tuple(float(share) for share in record["frequency"]),
        )


def _as_frequency(share: float) -> float:
    """Return a sum of weights as it is stored: rounding errors must not lift it above 1."""
    return round(min(share, 1.0), 6)


def _find_ontology(record: Mapping[str, Any]) -> Ontology:
    """Return the ontology of a record: the same one, else one with its name and version."""
    name, version = str(record["ontology"]), str(record["version"])
    registered = SESSION.find_ontology(name, version, str(record.get("digest", "")))
    if registered is not None:
        return registered
    # A user's own ontology may also be called "CL", but is unlikely to have a version.
    if name == CELL_ONTOLOGY and version:
        return cell_ontology()
    msg = (
        f"The texts were read as terms of the ontology {name!r}, which is not stored. Make a "
        "TermEncoder of it first, or pass one: encoder=..."
    )
    raise ConfigError(msg)
