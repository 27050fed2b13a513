"""Ontologies: terms with names, definitions and ancestors, and the search for terms by text."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS, TfidfVectorizer

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import did_you_mean
from hzau_omics.text.encoder import Vectors
from hzau_omics.text.tokens import plain, words

CELL_ONTOLOGY = "CL"

# A marker is letters and then a digit: CD14, CCR2, PD1.
_MARKER = r"\b([a-z]+\d[a-z0-9]*)"
_SIGNED = re.compile(r"\b(?:[a-z]+\d[a-z0-9]*[+-]+){2,}")
_LEVELS = (
    (re.compile(_MARKER + r"(?:\+{1,3}|[- ](?:positive|pos|high|hi|bright)\b)"), r"\1 \1_high "),
    (re.compile(_MARKER + r"[- ](?:low|lo|dim)\b"), r"\1 \1_low "),
    (re.compile(_MARKER + r"(?:-(?!\w)|[- ](?:negative|neg)\b)"), r"\1_none "),
)
_GREEK = str.maketrans(
    {chr(0x3B1 + i): f"{name} " for i, name in enumerate(("alpha", "beta", "gamma", "delta"))}
)


@dataclass(frozen=True)
class Term:
    """A term of an ontology.

    Attributes
    ----------
    id
        Identifier, such as ``"CL:0000236"``.
    label
        Name.
    definition
        Definition; empty where there is none.
    synonyms
        Other names.
    parents
        Identifiers of the terms of which it is a kind.
    """

    id: str
    label: str
    definition: str = ""
    synonyms: tuple[str, ...] = ()
    parents: tuple[str, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """Names and synonyms, then the definition."""
        return tuple(text for text in (self.label, *self.synonyms, self.definition) if text)


class Ontology:
    """Terms by identifier, with their ancestors.

    Parameters
    ----------
    terms
        The terms. Parents that are not among them are ignored.
    name
        Name of the ontology, such as ``"CL"``.
    version
        Its version.

    Raises
    ------
    DataContractError
        There is no term, or an identifier occurs twice.

    Examples
    --------
    >>> ontology = Ontology(
    ...     [
    ...         Term("X:1", "cell"),
    ...         Term("X:2", "B cell", "A lymphocyte that makes antibodies.", (), ("X:1",)),
    ...         Term("X:3", "T cell", "A lymphocyte from the thymus.", (), ("X:1",)),
    ...     ],
    ...     name="X",
    ... )
    >>> ontology.ancestors("X:2")
    ('X:2', 'X:1')
    >>> [term.label for term, _ in ontology.search("lymphocytes making antibodies", top=1)]
    ['B cell']
    """

    def __init__(self, terms: Iterable[Term], *, name: str, version: str = "") -> None:
        found = list(terms)
        self.terms: Mapping[str, Term] = {term.id: term for term in found}
        self.name = name
        self.version = version
        if not found or len(self.terms) < len(found):
            msg = (
                "An ontology must have at least one term, and each identifier once. Received "
                f"{len(found)} terms with {len(self.terms)} identifiers for {name!r}. Leave out "
                "the repeated ones."
            )
            raise DataContractError(msg)
        self._ancestors: dict[str, tuple[str, ...]] = {}

    def __len__(self) -> int:
        """Return the number of terms."""
        return len(self.terms)

    def __repr__(self) -> str:
        return f"Ontology({self.name!r}, version={self.version!r}, {len(self)} terms)"

    def __getitem__(self, term: str) -> Term:
        """Return a term by its identifier or its name.

        Raises
        ------
        DataContractError
            No term, or several, have this name.
        """
        if term in self.terms:
            return self.terms[term]
        named = self._by_name.get(_key(term), ())
        if len(named) == 1:
            return self.terms[named[0]]
        labels = [t.label for t in self.terms.values()]
        msg = (
            f"The ontology {self.name!r} has no term {term!r}." + did_you_mean(term, labels)
            if not named
            else f"{term!r} is the name of several terms: {', '.join(named)}. Use an identifier."
        )
        raise DataContractError(msg)

    @cached_property
    def digest(self) -> str:
        """Hash of name, version and terms, which identifies the ontology."""
        text = repr((self.name, self.version, sorted(map(repr, self.terms.values()))))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def ancestors(self, term: str) -> tuple[str, ...]:
        """Return the identifiers of a term and of all its ancestors, the term first.

        Raises
        ------
        DataContractError
            The term is its own ancestor.
        """
        if term not in self._ancestors:
            found = dict.fromkeys([term])
            open_ = [term]
            while open_:
                for parent in self.terms[open_.pop()].parents:
                    if parent == term:
                        msg = (
                            f"Terms must not descend from themselves. The term {term!r} of "
                            f"{self.name!r} is its own ancestor. Correct its parents."
                        )
                        raise DataContractError(msg)
                    if parent in self.terms and parent not in found:
                        found[parent] = None
                        open_.append(parent)
            self._ancestors[term] = tuple(found)
        return self._ancestors[term]

    @cached_property
    def information(self) -> Mapping[str, float]:
        """Information content of each term, in nats: -log of the share of terms below or at it."""
        count = dict.fromkeys(self.terms, 0)
        for term in self.terms:
            for ancestor in self.ancestors(term):
                count[ancestor] += 1
        return {term: float(np.log(len(self) / n)) for term, n in count.items()}

    def search(
        self, text: str, *, top: int = 5, vectors: "TermVectors | None" = None
    ) -> list[tuple[Term, float]]:
        """Return the terms that a text most likely means, best first, with similarities.

        An identifier or a name finds its term, with similarity 1. Otherwise terms are ranked by the
        words that the text shares with one of their names or with their definition: the cosine of
        tf-idf vectors of words and pairs of words. Plurals count as singulars; ``CD14+``,
        ``CD14-positive`` and ``CD14 high`` count as the same. With `vectors`, the cosine of
        sentence embeddings is added.

        Parameters
        ----------
        text
            Identifier, name or free text.
        top
            Largest number of terms.
        vectors
            Sentence embeddings of the terms.

        Returns
        -------
        At most `top` pairs of term and similarity, similarities above 0. Empty if the text shares
        no word with any term.
        """
        exact = (text.strip(),) if text.strip() in self.terms else self._by_name.get(_key(text), ())
        if exact:
            return [(self.terms[term], 1.0) for term in exact[:top]]
        likeness = self._best_of_texts((self._index.transform([text]) @ self._texts.T).toarray()[0])
        if vectors is not None:
            likeness = likeness + vectors.similarity(text)
        best = np.argsort(-likeness, kind="stable")[:top]
        ids = list(self.terms)
        return [(self.terms[ids[i]], float(likeness[i])) for i in best if likeness[i] > 0]

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[str, ...]]:
        """Identifiers by name; a label hides the same synonym of another term."""
        labels: dict[str, tuple[str, ...]] = {}
        synonyms: dict[str, tuple[str, ...]] = {}
        for term in self.terms.values():
            key = _key(term.label)
            labels[key] = (*labels.get(key, ()), term.id)
            for key in {_key(name) for name in term.synonyms}:
                synonyms[key] = (*synonyms.get(key, ()), term.id)
        return synonyms | labels

    @cached_property
    def _written(self) -> tuple[list[str], NDArray[np.int64]]:
        """All texts, and the position of the term that each belongs to."""
        texts = [term.texts for term in self.terms.values()]
        owner = np.repeat(np.arange(len(texts)), [len(of) for of in texts])
        return [text for of in texts for text in of], owner

    @cached_property
    def _index(self) -> TfidfVectorizer:
        return TfidfVectorizer(analyzer=search_words, sublinear_tf=True).fit(self._written[0])

    @cached_property
    def _texts(self) -> sparse.csr_matrix:
        return sparse.csr_matrix(self._index.transform(self._written[0]))

    def _best_of_texts(self, values: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the largest value among the texts of each term."""
        best = np.zeros(len(self))
        np.maximum.at(best, self._written[1], values)
        return best


class TermVectors:
    """Sentence embeddings of the terms of an ontology: one of the names, one of the definition.

    Parameters
    ----------
    ontology
        The ontology.
    encode
        Texts to vectors (text, dimension).
    """

    def __init__(self, ontology: Ontology, encode: "Encode") -> None:
        terms = ontology.terms.values()
        self._encode = encode
        self._names = _unit(encode(["; ".join((t.label, *t.synonyms[:3])) for t in terms]))
        self._definitions = _unit(encode([t.definition or t.label for t in terms]))

    def similarity(self, text: str) -> NDArray[np.float64]:
        """Return the larger cosine of a text with the names and the definition of each term."""
        vector = _unit(self._encode([text]))[0]
        return np.asarray(np.maximum(self._names @ vector, self._definitions @ vector), np.float64)


type Encode = Callable[[Sequence[str]], Vectors]


def _unit(rows: Vectors) -> Vectors:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-9))


def search_words(text: str) -> list[str]:
    """Return the words and pairs of words that the search for terms compares.

    Examples
    --------
    >>> search_words("CD14-high monocytes")
    ['cd14', 'cd14_high', 'monocyte', 'cd14 cd14_high', 'cd14_high monocyte']
    """
    leveled = _SIGNED.sub(_apart, plain(text).translate(_GREEK))
    for pattern, spelled in _LEVELS:
        leveled = pattern.sub(spelled, leveled)
    found = [
        _singular(word)
        for word in words(leveled, r"(?u)\w+")
        # "A" is a stop word of one letter, and the name of a kind of cell.
        if len(word) == 1 or word not in ENGLISH_STOP_WORDS
    ]
    return found + [f"{first} {second}" for first, second in pairwise(found)]


def _apart(markers: re.Match[str]) -> str:
    """Separate markers with signs: "CD3-CD19-" has two signs, "CD3-CD28" has a hyphen."""
    has_sign = not markers.string[markers.end() : markers.end() + 1].isalnum()
    return re.sub("([+-]+)", r"\1 ", markers.group()) if has_sign else markers.group()


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _key(name: str) -> str:
    return " ".join(word for word in search_words(name) if " " not in word)


@lru_cache(maxsize=1)
def cell_ontology() -> Ontology:
    """Return the Cell Ontology (CL) of the package cellxgene-ontology-guide; works offline.

    Its text is licensed under CC BY 4.0 (Diehl et al. 2016, *Journal of Biomedical Semantics*
    7:44).

    Raises
    ------
    ConfigError
        The package is not installed.

    Examples
    --------
    >>> from hzau_omics.text import cell_ontology
    >>> cell_ontology()["NK cell"].label
    'natural killer cell'
    """
    try:
        from cellxgene_ontology_guide.ontology_parser import OntologyParser
    except ImportError as error:
        msg = (
            "The Cell Ontology requires the package cellxgene-ontology-guide, which is not "
            "installed. Run pip install '.[text]' in a clone of hzau_omics, or pass an Ontology."
        )
        raise ConfigError(msg) from error
    parser = OntologyParser()
    supported = parser.cxg_schema.supported_ontologies[CELL_ONTOLOGY]
    # The parser's map from labels drops terms that share a label; all terms descend from the root.
    ids = parser.get_term_descendants("CL:0000000", include_self=True)
    terms = [
        Term(
            id=term,
            label=parser.get_term_label(term),
            definition=parser.get_term_description(term) or "",
            synonyms=tuple(parser.get_term_synonyms(term)),
            parents=tuple(parser.get_term_parents(term)),
        )
        for term in sorted(ids)
        if term.startswith(f"{CELL_ONTOLOGY}:") and not parser.is_term_deprecated(term)
    ]
    return Ontology(terms, name=CELL_ONTOLOGY, version=str(supported["version"]))
