"""totalVI of scvi-tools with scArches for the query, as its page on reference mapping shows.

Proteins that the query lacks are 0 in all its cells, which totalVI takes for not measured. Types
are those of the nearest reference cells in its latent.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import scvi
from anndata import AnnData

from benchmarks.integration.methods.exchange import PROTEIN, RNA, Cells
from benchmarks.integration.methods.training import cut_short, quiet, time_limit
from benchmarks.mapping.methods.exchange import Answer, Question
from benchmarks.mapping.methods.neighbours import by_neighbours
from benchmarks.mapping.methods.preprocessing import as_anndata, full_counts

PACKAGES = ("scvi-tools", "torch")
SIZES = {
    "use_layer_norm": "both",
    "use_batch_norm": "none",
    "n_layers_encoder": 2,
    "n_layers_decoder": 2,
}
N_DRAWS = 25


@dataclass(kw_only=True)
class Totalvi:
    """totalVI trained on the reference."""

    model: Any
    question: Question
    reference: np.ndarray
    cut: bool
    info: dict[str, Any]

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Train what is new of the query's batch, and look at the neighbours of its cells."""
        adata = _data(query, self.question)
        mapped = scvi.model.TOTALVI.load_query_data(adata, self.model, freeze_expression=True)
        mapped.train(
            max_epochs=150,
            plan_kwargs={"weight_decay": 0.0, "scale_adversarial_loss": 0.0},
            enable_progress_bar=False,
            max_time=time_limit(seconds),
        )
        latent = mapped.get_latent_representation()
        share = by_neighbours(self.reference, self.question.labels, latent)
        protein = None if PROTEIN in query.modalities else _protein(mapped, self.question)
        return Answer(
            probabilities=share,
            query=latent,
            reference=self.reference,
            protein=protein,
            cut=cut_short(mapped.trainer, seconds),
        )


def _data(cells: Cells, question: Question) -> AnnData:
    features = question.reference.features
    adata = as_anndata(cells, RNA, features[RNA], "")
    values = full_counts(cells, PROTEIN, features[PROTEIN]).toarray()
    adata.obsm["protein"] = pd.DataFrame(values, cells.names, features[PROTEIN])
    return adata


def _protein(model: Any, question: Question) -> np.ndarray:
    """Return the mean over draws of log1p of what the reference's batches would have measured."""
    _, draws = model.get_normalized_expression(
        transform_batch=list(question.reference.batches),
        n_samples=N_DRAWS,
        include_protein_background=True,
        sample_protein_mixing=False,
        return_mean=False,
        return_numpy=True,
    )
    found: np.ndarray = np.log1p(draws).mean(axis=-1)
    return found


def fit(question: Question, seed: int, seconds: float) -> Totalvi:
    """Train on the reference with documented defaults, which stop early."""
    quiet()
    scvi.settings.seed = seed
    adata = _data(question.reference, question)
    scvi.model.TOTALVI.setup_anndata(
        adata, batch_key="batch", protein_expression_obsm_key="protein"
    )
    model = scvi.model.TOTALVI(adata, **SIZES)
    model.train(enable_progress_bar=False, max_time=time_limit(seconds))
    return Totalvi(
        model=model,
        question=question,
        reference=model.get_latent_representation(),
        cut=cut_short(model.trainer, seconds),
        info={"epochs": model.trainer.current_epoch},
    )
