"""Texts as terms of an ontology: what a cell is said to be, and everything that is a kind of."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hzau_omics.checks import check_integer
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.text.encoder import KIND, Vectors, cosine
from hzau_omics.text.ontology import CELL_ONTOLOGY, Ontology, Term, TermVectors, cell_ontology
from hzau_omics.text.sentences import SentenceEncoder

_SEEN: dict[str, Ontology] = {}
"""Ontologies used in this session, by what they hold: they are not stored."""

_VECTORS: dict[tuple[str, str], TermVectors] = {}
"""Embeddings of whole ontologies, by what they hold and model: they take a minute or two."""

SHARPNESS = 4
"""How fast the weight of a term falls with its similarity to the text."""

LEAST_WORDS, LEAST_SENTENCE = 0.15, 0.5
"""Similarity below which a text is not understood: of words, and of words and embeddings."""


@dataclass(frozen=True, eq=False)
class TermEncoder:
    """Texts as terms and their ancestors.

    An identifier or a name stands for its term; any other text for the few terms that it is most
    like (:meth:`Ontology.search`), by weights that sum to 1. Every ancestor of a term gets the
    term's weight: a text about a B cell is one about a lymphocyte, too. So words that were never
    seen in training are understood if the ontology knows them, and a type that was never labelled
    shares ancestors with types that were.

    Attributes
    ----------
    terms
        Identifiers of the terms that are dimensions.
    ontology
        The ontology; None for the Cell Ontology.
    sentences
        Encoder of sentences that helps to find terms; None for words only.
    top
        Most terms that a text stands for.
    frequency
        Share of the training texts of each term's kind.

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

    terms: tuple[str, ...]
    ontology: Ontology
    sentences: SentenceEncoder | None = None
    top: int = 5
    frequency: tuple[float, ...] = ()
    _found: dict[str, list[tuple[Term, float]]] = field(
        init=False, repr=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        """Check the terms, and remember the ontology for this session.

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
                f"{self.ontology!r} lacks {missing[:5]} ({len(missing)} of {len(self.terms)}): "
                "take the version that the model was trained with."
            )
            raise DataContractError(msg)
        # The last one used is the last one.
        _SEEN.pop(self.ontology.digest, None)
        _SEEN[self.ontology.digest] = self.ontology

    @classmethod
    def fit(
        cls,
        texts: Iterable[str],
        ontology: Ontology | None = None,
        *,
        sentences: SentenceEncoder | None = None,
        top: int = 5,
    ) -> "TermEncoder":
        """Take the terms that some texts stand for, and all of their ancestors.

        Parameters
        ----------
        texts
            Texts; each is searched for once.
        ontology, sentences, top
            As the attributes of the class; None for the Cell Ontology.

        Raises
        ------
        DataContractError
            No text is understood.
        """
        ontology = cell_ontology() if ontology is None else ontology
        known = list(texts)
        root = next(iter(ontology.terms))
        blank = cls((root,), ontology, sentences, top)
        weights = {text: blank.memberships(text) for text in dict.fromkeys(known)}
        share: dict[str, float] = {}
        for text in known:
            for term, weight in weights[text].items():
                share[term] = share.get(term, 0.0) + weight / len(known)
        if not share:
            msg = (
                f"None of the {len(weights)} texts is understood as a term of {ontology!r}, such "
                f"as {next(iter(weights), '')[:80]!r}. Rename them, or encode their words instead."
            )
            raise DataContractError(msg)
        ordered = sorted(share, key=lambda term: (ontology.information[term], term))
        frequency = tuple(round(min(share[term], 1.0), 6) for term in ordered)
        return cls(tuple(ordered), ontology, sentences, top, frequency)

    def only(self, positions: Sequence[int]) -> "TermEncoder":
        """Return an encoder of some of the terms."""
        return replace(
            self,
            terms=tuple(self.terms[i] for i in positions),
            frequency=tuple(self.frequency[i] for i in positions) if self.frequency else (),
        )

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the terms; with the identifier where several have the same name."""
        labels = [self.ontology.terms[term].label for term in self.terms]
        return tuple(
            label if labels.count(label) == 1 else f"{label} ({term})"
            for label, term in zip(labels, self.terms, strict=True)
        )

    @cached_property
    def weight(self) -> NDArray[np.float32]:
        """How telling each term is: minus the log of the share of terms of its kind."""
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
        """Return the weight of every kind that a text's terms are of."""
        result: dict[str, float] = {}
        for term, weight in self.found(text):
            for ancestor in self.ontology.ancestors(term.id):
                result[ancestor] = min(result.get(ancestor, 0.0) + weight, 1.0)
        return result

    def encode(self, texts: Sequence[str]) -> Vectors:
        """Return memberships (text, term) from 0 to 1; zeros where nothing is understood."""
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
        """Return cosines, terms weighted by how telling they are."""
        return self.similarity(predicted, queries)

    def similarity(self, predicted: Vectors, candidates: Vectors) -> Vectors:
        """Return cosines, terms weighted by how telling they are."""
        return cosine(predicted, candidates, np.sqrt(self.weight))

    @property
    def _vectors(self) -> TermVectors | None:
        if self.sentences is None:
            return None
        key = self.ontology.digest, self.sentences.name
        if key not in _VECTORS:
            _VECTORS[key] = TermVectors(self.ontology, self.sentences.encode)
        return _VECTORS[key]

    def record(self) -> dict[str, Any]:
        """Return terms and settings as plain values; not the ontology itself."""
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
        """Rebuild the encoder; an ontology of one's own must have been used in this session.

        Raises
        ------
        ConfigError
            The ontology is not at hand.
        """
        ontology = _recalled(record)
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


def _recalled(record: Mapping[str, Any]) -> Ontology:
    """Return the ontology of a record: the very one, else one of its name and version."""
    name, version = str(record["ontology"]), str(record["version"])
    digest = str(record.get("digest", ""))
    if digest in _SEEN:
        return _SEEN[digest]
    alike = [o for o in _SEEN.values() if (o.name, o.version) == (name, version)]
    if alike:
        return alike[-1]
    # One of the user's own may have its name, but has hardly a version.
    if name == CELL_ONTOLOGY and version:
        return cell_ontology()
    msg = (
        f"The texts were read as terms of the ontology {name!r}, which is not stored. Make a "
        "TermEncoder of it first, or give one: encoder=..."
    )
    raise ConfigError(msg)
