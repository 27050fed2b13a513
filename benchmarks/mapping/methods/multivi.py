"""MultiVI of scvi-tools with scArches for the query; a modality that the query lacks is zeros.

Types are those of the nearest reference cells in its latent.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scvi
from mudata import MuData

from benchmarks.integration.methods.exchange import CHROMATIN, RNA, Cells
from benchmarks.integration.methods.training import cut_short, quiet, time_limit
from benchmarks.mapping.methods.exchange import Answer, Question
from benchmarks.mapping.methods.neighbours import by_neighbours
from benchmarks.mapping.methods.preprocessing import as_anndata

PACKAGES = ("scvi-tools", "torch")


@dataclass(kw_only=True)
class Multivi:
    """MultiVI trained on the reference."""

    model: Any
    question: Question
    reference: np.ndarray
    cut: bool
    info: dict[str, Any]

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Train what is new of the query's batches, and look at the neighbours of its cells."""
        mdata = _data(query, self.question)
        mapped = scvi.model.MULTIVI.load_query_data(mdata, self.model)
        mapped.train(
            plan_kwargs={"weight_decay": 0.0},
            enable_progress_bar=False,
            max_time=time_limit(seconds),
        )
        latent = mapped.get_latent_representation()
        return Answer(
            probabilities=by_neighbours(self.reference, self.question.labels, latent),
            query=latent,
            reference=self.reference,
            cut=cut_short(mapped.trainer, seconds),
        )


def _data(cells: Cells, question: Question) -> MuData:
    features = question.reference.features
    parts = {m: as_anndata(cells, m, features[m], "") for m in (RNA, CHROMATIN)}
    mdata = MuData(parts)
    mdata.obs["batch"] = parts[RNA].obs["batch"]
    return mdata


def fit(question: Question, seed: int, seconds: float) -> Multivi:
    """Train on the reference with documented defaults, which stop early."""
    quiet()
    scvi.settings.seed = seed
    mdata = _data(question.reference, question)
    scvi.model.MULTIVI.setup_mudata(
        mdata, batch_key="batch", modalities={"rna_layer": RNA, "atac_layer": CHROMATIN}
    )
    model = scvi.model.MULTIVI(mdata)
    model.train(enable_progress_bar=False, max_time=time_limit(seconds))
    return Multivi(
        model=model,
        question=question,
        reference=model.get_latent_representation(),
        cut=cut_short(model.trainer, seconds),
        info={"epochs": model.trainer.current_epoch},
    )
