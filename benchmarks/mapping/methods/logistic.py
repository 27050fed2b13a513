"""Logistic regression of scikit-learn on log-normalised values of what the query has."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from benchmarks.integration.methods.exchange import Cells
from benchmarks.mapping.methods.exchange import Answer, Question
from benchmarks.mapping.methods.preprocessing import normalised

PACKAGES = ("scikit-learn",)


@dataclass(kw_only=True)
class Logistic:
    """The reference, which is fitted anew for the features of each query."""

    question: Question
    seed: int
    cut: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Fit features that the query has, and predict its cells."""
        known = self.question.labels != ""
        x, new = (
            sparse.hstack([normalised(cells, m, names) for m, names in query.features.items()])
            for cells in (self.question.reference, query)
        )
        model = LogisticRegression(max_iter=1_000, random_state=self.seed)
        model.fit(sparse.csr_matrix(x)[known], self.question.labels[known])
        return Answer(probabilities=np.asarray(model.predict_proba(sparse.csr_matrix(new))))


def fit(question: Question, seed: int, seconds: float) -> Logistic:
    """Keep the reference."""
    return Logistic(question=question, seed=seed)
