"""HZAU-VAE trained on reference and query together, with the labels of the reference only."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import sparse

from benchmarks.integration.methods.exchange import Cells
from benchmarks.integration.methods.ours import as_mudata, trained
from benchmarks.mapping.methods.exchange import Answer, Question
from benchmarks.mapping.methods.ours import LABELS, PACKAGES, answered, labelled
from benchmarks.mapping.methods.preprocessing import full_counts

__all__ = ["PACKAGES", "fit"]


@dataclass(kw_only=True)
class Retrained:
    """The reference, which is trained on anew with each query."""

    question: Question
    seed: int
    cut: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Train on both, and ask for the query."""
        reference = self.question.reference
        cells = together(reference, query)
        mdata = labelled(cells, np.append(self.question.labels, np.full(query.n, "")))
        model = trained(mdata, cells, self.seed, batch_key="batch", labels_key=LABELS)
        latent = model.get_latent_representation(mdata)
        latent = latent[mdata.obs_names.get_indexer(reference.names)]
        # With the panels that the model was told of.
        asked = cells.subset(np.arange(reference.n, cells.n), dict.fromkeys(query.modalities))
        return answered(
            model,
            as_mudata(asked),
            query,
            question=self.question,
            reference=latent,
            seed=self.seed,
        )


def together(reference: Cells, query: Cells) -> Cells:
    """Return reference and query as cells with the reference's features.

    Features that the query lacks are not measured by its batches.
    """
    batch = np.append(reference.batch, query.batch)
    new = ~np.isin(np.unique(batch), reference.batches)
    counts, present, measured = {}, {}, {}
    for m, names in reference.features.items():
        both = [reference.counts[m], full_counts(query, m, names)]
        counts[m] = sparse.csr_matrix(sparse.vstack(both))
        there = query.present.get(m, np.zeros(query.n, dtype=bool))
        present[m] = np.append(reference.present[m], there)
        measured[m] = np.ones((len(new), len(names)), dtype=bool)
        measured[m][~new] = reference.measured[m]
        # Of a modality that it lacks altogether, a batch has no panel.
        if m in query.features:
            measured[m][new] = np.isin(names, query.features[m])
    return Cells(
        names=np.append(reference.names, query.names),
        batch=batch,
        counts=counts,
        present=present,
        features=reference.features,
        measured=measured,
    )


def fit(question: Question, seed: int, seconds: float) -> Retrained:
    """Keep the reference."""
    return Retrained(question=question, seed=seed)
