"""scANVI of scvi-tools on RNA: scVI, scANVI, and scArches for the query.

Sizes and numbers of epochs are those of the scvi-tools page on reference mapping with scArches;
scVI stops early.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scvi

from benchmarks.integration.methods.exchange import RNA, Cells
from benchmarks.integration.methods.training import cut_short, quiet, time_limit
from benchmarks.mapping.methods.exchange import Answer, Question
from benchmarks.mapping.methods.preprocessing import as_anndata

PACKAGES = ("scvi-tools", "torch")
UNKNOWN = "Unknown"
SIZES = {
    "use_layer_norm": "both",
    "use_batch_norm": "none",
    "encode_covariates": True,
    "dropout_rate": 0.2,
    "n_layers": 2,
}
SHARE_OF_SCVI = 0.75
"""Share of the time limit that scVI has; scANVI starts from it."""


@dataclass(kw_only=True)
class Scanvi:
    """scANVI trained on the reference."""

    model: Any
    question: Question
    reference: np.ndarray
    cut: bool
    info: dict[str, Any]

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Train what is new of the query's batch, and predict its cells."""
        features = self.question.reference.features[RNA]
        adata = as_anndata(query, RNA, features, UNKNOWN)
        mapped = scvi.model.SCANVI.load_query_data(adata, self.model)
        mapped.train(
            max_epochs=100,
            plan_kwargs={"weight_decay": 0.0},
            check_val_every_n_epoch=10,
            enable_progress_bar=False,
            max_time=time_limit(seconds),
        )
        share = mapped.predict(soft=True)[self.question.types].to_numpy(dtype=np.float64)
        return Answer(
            probabilities=share / share.sum(axis=1, keepdims=True),
            query=mapped.get_latent_representation(),
            reference=self.reference,
            cut=cut_short(mapped.trainer, seconds),
        )


def fit(question: Question, seed: int, seconds: float) -> Scanvi:
    """Train scVI and then scANVI on the reference."""
    quiet()
    scvi.settings.seed = seed
    labels = np.where(question.labels == "", UNKNOWN, question.labels)
    adata = as_anndata(question.reference, RNA, question.reference.features[RNA], labels)
    scvi.model.SCVI.setup_anndata(adata, batch_key="batch", labels_key="label")
    first = scvi.model.SCVI(adata, **SIZES)
    limits = SHARE_OF_SCVI * seconds, (1 - SHARE_OF_SCVI) * seconds
    first.train(early_stopping=True, enable_progress_bar=False, max_time=time_limit(limits[0]))
    model = scvi.model.SCANVI.from_scvi_model(first, unlabeled_category=UNKNOWN)
    model.train(
        max_epochs=20,
        n_samples_per_label=100,
        enable_progress_bar=False,
        max_time=time_limit(limits[1]),
    )
    trained = (first, model)
    return Scanvi(
        model=model,
        question=question,
        reference=model.get_latent_representation(),
        cut=any(cut_short(m.trainer, s) for m, s in zip(trained, limits, strict=True)),
        info={"epochs": [m.trainer.current_epoch for m in trained]},
    )
