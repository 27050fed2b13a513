"""What a method is given and what it gives back, as files that every environment can read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks.integration.methods.exchange import Cells


@dataclass(frozen=True, kw_only=True)
class Question:
    """A labelled reference, and a query in several forms.

    Attributes
    ----------
    reference
        Cells that a method learns from.
    labels
        Type of each reference cell; "" where it is not known.
    forms
        The cells of the query by form: what was measured of them. All their features are features
        of the reference.
    """

    reference: Cells
    labels: np.ndarray
    forms: Mapping[str, Cells]

    @property
    def types(self) -> np.ndarray:
        """Names of the types, sorted."""
        return np.unique(self.labels[self.labels != ""])

    def only(self, forms: list[str]) -> "Question":
        """Return the question with some of its forms."""
        return replace(self, forms={name: self.forms[name] for name in forms})

    def pieces(self) -> Iterator[bytes]:
        """Yield what decides a result, for a digest."""
        yield "\n".join([*self.labels, *self.forms]).encode()
        for cells in (self.reference, *self.forms.values()):
            yield from cells.pieces()
            for names in cells.features.values():
                yield "\n".join(names).encode()

    def save(self, path: Path) -> None:
        """Write to an NPZ."""
        arrays: dict[str, Any] = {
            "labels": self.labels.astype(str),
            "forms": np.array([*self.forms]),
        }
        for i, cells in enumerate([self.reference, *self.forms.values()]):
            arrays |= {f"{i}//{name}": x for name, x in cells.arrays().items()}
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Question":
        """Read what :meth:`save` wrote."""
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
        parts = []
        for i in range(len(found["forms"]) + 1):
            own = {n.split("//")[1]: x for n, x in found.items() if n.startswith(f"{i}//")}
            parts.append(Cells.of_arrays(own))
        forms = dict(zip(map(str, found["forms"]), parts[1:], strict=True))
        return cls(reference=parts[0], labels=found["labels"], forms=forms)


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a method says of a query.

    Attributes
    ----------
    probabilities
        Probability of each type (cell, type), types in the order of the question.
    sets
        Whether a type is in a cell's set (cell, type), which has the true one with probability
        0.99; None where a method has no sets.
    query, reference
        Latents of query and reference cells (cell, dimension) in one space; None where there are
        none.
    protein
        Proteins that the query lacks (cell, protein of the reference), as log1p of counts up to a
        factor per protein; None where a method does not impute them.
    cut
        Whether training for this query was stopped by the time limit.
    """

    probabilities: np.ndarray
    sets: np.ndarray | None = None
    query: np.ndarray | None = None
    reference: np.ndarray | None = None
    protein: np.ndarray | None = None
    cut: bool = False

    def arrays(self) -> dict[str, np.ndarray]:
        """Return the arrays that there are, by name."""
        found = {name: x for name, x in vars(self).items() if isinstance(x, np.ndarray)}
        return {name: x if x.dtype == bool else x.astype(np.float32) for name, x in found.items()}


class Fitted(Protocol):
    """A method that has seen the reference."""

    cut: bool
    info: dict[str, Any]

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Answer for the cells of a query, within a time limit for training."""


@dataclass(frozen=True, kw_only=True)
class Mapped:
    """What a method says of all forms.

    Attributes
    ----------
    answers
        The answer of each form that it could answer.
    info
        What the record of the run says: ``training_seconds`` with the reference, and of each form
        in ``forms`` its ``seconds``, whether it was ``cut``, and the ``reason`` of a failure.
    cut
        Whether any training was stopped by the time limit.
    """

    answers: Mapping[str, Answer]
    info: Mapping[str, Any] = field(default_factory=dict)
    cut: bool = False

    def save(self, path: Path) -> None:
        """Write the arrays to an NPZ."""
        arrays = {
            f"{form}//{name}": x
            for form, answer in self.answers.items()
            for name, x in answer.arrays().items()
        }
        np.savez_compressed(path, allow_pickle=False, **arrays)


def load_answers(path: Path) -> dict[str, Answer]:
    """Read the answers that a run left, by form."""
    with np.load(path) as file:
        found = {name: file[name] for name in file.files}
    forms: dict[str, dict[str, Any]] = {}
    for name, x in found.items():
        form, _, part = name.partition("//")
        forms.setdefault(form, {})[part] = x
    return {form: Answer(**parts) for form, parts in forms.items()}
