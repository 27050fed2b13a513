"""Principal components of the reference, onto which the query is projected; nearest neighbours.

RNA: 50 components of log-normalised counts. Protein: centred log ratios, as they are. Chromatin:
50 components of TF-IDF but the first, which follows depth, of unit length for each cell. Each
modality is scaled to a total variance of 1 in the reference, and those that the query has are put
side by side.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA, TruncatedSVD

from benchmarks.integration.methods.exchange import CHROMATIN, PROTEIN, Cells
from benchmarks.mapping.methods.exchange import Answer, Question
from benchmarks.mapping.methods.neighbours import by_neighbours
from benchmarks.mapping.methods.preprocessing import TARGET, chosen, normalised

PACKAGES = ("scikit-learn",)
N_COMPONENTS = 50


@dataclass(kw_only=True)
class Components:
    """The reference, of which components are fitted to the features of each query."""

    question: Question
    seed: int
    cut: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Project the query onto components of the reference, and take its neighbours' types."""
        pairs = [self._components(query, m) for m in query.modalities]
        reference, new = (np.hstack(parts) for parts in zip(*pairs, strict=True))
        share = by_neighbours(reference, self.question.labels, new)
        return Answer(probabilities=share, query=new, reference=reference)

    def _components(self, query: Cells, modality: str) -> tuple[np.ndarray, np.ndarray]:
        names = query.features[modality]
        cells = (self.question.reference, query)
        if modality == CHROMATIN:
            old, new = tf_idf(*(chosen(one, modality, names) for one in cells))
            svd = TruncatedSVD(N_COMPONENTS, random_state=self.seed)
            pair = svd.fit_transform(old)[:, 1:], svd.transform(new)[:, 1:]
            reference, found = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in pair)
        else:
            reference, found = (normalised(one, modality, names).toarray() for one in cells)
            if modality != PROTEIN:
                pca = PCA(min(N_COMPONENTS, *reference.shape), random_state=self.seed)
                reference, found = pca.fit_transform(reference), pca.transform(found)
        scale = np.sqrt(reference.var(axis=0).sum())
        return reference / scale, found / scale


def tf_idf(
    reference: sparse.csr_matrix, query: sparse.csr_matrix
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Return log TF times log IDF (cell, feature) of open features; the IDF is the reference's."""
    share = np.asarray((reference > 0).mean(axis=0)).ravel()
    idf = sparse.diags(np.log1p(1 / np.maximum(share, 1 / reference.shape[0])))

    def weighted(x: sparse.csr_matrix) -> sparse.csr_matrix:
        opened = (x > 0).astype(np.float32)
        total = np.maximum(np.asarray(opened.sum(axis=1)).ravel(), 1)
        y = sparse.csr_matrix(sparse.diags(TARGET / total) @ opened)
        y.data = np.log1p(y.data)
        return sparse.csr_matrix(y @ idf)

    return weighted(reference), weighted(query)


def fit(question: Question, seed: int, seconds: float) -> Components:
    """Keep the reference."""
    return Components(question=question, seed=seed)
