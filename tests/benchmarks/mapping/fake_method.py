"""A method for tests: it knows the types of RNA, and fails for protein alone."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.integration.methods.exchange import RNA, Cells
from benchmarks.mapping.methods.exchange import Answer, Question

PACKAGES = ("numpy",)
WORKS, IS_CUT = range(2)


@dataclass(kw_only=True)
class Fake:
    question: Question
    cut: bool = False
    info: dict[str, Any] = field(default_factory=lambda: {"epochs": 3})

    def answer(self, query: Cells, seconds: float) -> Answer:
        if RNA not in query.modalities:
            message = "it does not like these cells"
            raise ValueError(message)
        x = query.counts[RNA].toarray()
        odd = x[:, 1::2].sum(axis=1) > x[:, ::2].sum(axis=1)
        share = np.where(np.column_stack([~odd, odd]), 0.9, 0.1)
        return Answer(
            probabilities=share,
            sets=share > 0.5,
            query=x,
            reference=self.question.reference.counts[RNA].toarray(),
        )


def fit(question: Question, seed: int, seconds: float) -> Fake:
    return Fake(question=question, cut=seed == IS_CUT)
