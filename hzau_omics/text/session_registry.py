"""What texts were encoded with in this session and no record can store."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from hzau_omics.text.ontology import Encode, Ontology, TermVectors

type Embed = Callable[[list[str]], Any]


@dataclass
class SessionRegistry:
    """Callables and ontologies that records name but cannot hold.

    A record of an encoder holds plain values only. A callable, or an ontology of the user's own, is
    represented by its name, and is looked up here when the encoder is rebuilt in the same session.
    In another session it must be passed again.

    Attributes
    ----------
    callables
        Language models by name.
    ontologies
        Ontologies by digest, the one used last at the end.
    term_vectors
        Embeddings of all terms, by digest of the ontology and name of the language model: computing
        them takes a minute or two.

    Examples
    --------
    >>> registry = SessionRegistry()
    >>> registry.name_of(len), registry.callables["builtins.len"]
    ('builtins.len', <built-in function len>)
    """

    callables: dict[str, Embed] = field(default_factory=dict)
    ontologies: dict[str, Ontology] = field(default_factory=dict)
    term_vectors: dict[tuple[str, str], TermVectors] = field(default_factory=dict)

    def name_of(self, model: Embed) -> str:
        """Register a callable and return its name; a second one of that name gets a number."""
        of = model if hasattr(model, "__qualname__") else type(model)
        own = f"{of.__module__}.{of.__qualname__}"
        names = (own if i == 1 else f"{own} ({i})" for i in count(1))
        # Bound methods of one object are equal, but not identical.
        return next(name for name in names if self.callables.setdefault(name, model) == model)

    def add_ontology(self, ontology: Ontology) -> None:
        """Register an ontology as the one used last."""
        self.ontologies.pop(ontology.digest, None)
        self.ontologies[ontology.digest] = ontology

    def find_ontology(self, name: str, version: str, digest: str) -> Ontology | None:
        """Return the ontology with a digest, else the last one with a name and version."""
        if digest in self.ontologies:
            return self.ontologies[digest]
        alike = [o for o in self.ontologies.values() if (o.name, o.version) == (name, version)]
        return alike[-1] if alike else None

    def vectors_of(self, ontology: Ontology, model: str, encode: Encode) -> TermVectors:
        """Return the embeddings of an ontology's terms, computed once for each language model."""
        key = ontology.digest, model
        if key not in self.term_vectors:
            self.term_vectors[key] = TermVectors(ontology, encode)
        return self.term_vectors[key]


SESSION = SessionRegistry()
"""The registry of this process."""
