"""HZAU-VAE trained with defaults on the labelled reference; the query only asks it."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from mudata import MuData

from benchmarks.integration.methods.exchange import PROTEIN, Cells
from benchmarks.integration.methods.ours import as_mudata, trained
from benchmarks.mapping.methods.exchange import Answer, Question

PACKAGES = ("hzau-omics", "scvi-tools", "torch")
LABELS = "cell_type"


@dataclass(kw_only=True)
class Ours:
    """A model of the reference."""

    model: Any
    mdata: MuData
    question: Question
    seed: int
    cut: bool = False
    info: dict[str, Any] = field(default_factory=dict)

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Ask the model as it is."""
        latent = self.model.get_latent_representation(self.mdata)
        return answered(
            self.model,
            as_mudata(query),
            query,
            question=self.question,
            reference=latent,
            seed=self.seed,
        )


def fit(question: Question, seed: int, seconds: float) -> Ours:
    """Train on the reference; of its batches, of which there may be one, the query's are told."""
    mdata = labelled(question.reference, question.labels)
    model = trained(mdata, question.reference, seed, batch_key="batch", labels_key=LABELS)
    return Ours(
        model=model,
        mdata=mdata,
        question=question,
        seed=seed,
        info={"epochs": len(model.history["elbo_train"])},
    )


def labelled(cells: Cells, labels: np.ndarray) -> MuData:
    """Return cells as users have them, with labels, which are missing where they are not known."""
    mdata = as_mudata(cells)
    known = pd.Series(labels, index=cells.names).where(labels != "", None)
    mdata.obs[LABELS] = pd.Categorical(known.reindex(mdata.obs_names))
    return mdata


def answered(
    model: Any,
    mdata: MuData,
    query: Cells,
    *,
    question: Question,
    reference: np.ndarray,
    seed: int,
) -> Answer:
    """Ask a model of query cells.

    Parameters
    ----------
    model
        HZAU-VAE that knows the types.
    mdata, query
        The cells.
    question
        What is asked.
    reference
        Latents of the reference cells (cell, dimension) by this model.
    seed
        Seed of draws.
    """
    types = list(question.types)
    names = list(query.names)
    share = model.predict_labels(mdata).loc[names, types].to_numpy(dtype=np.float64)
    sets = model.predict_labels(mdata, soft=False).loc[names, "set"]
    protein = None
    if PROTEIN in question.reference.modalities and PROTEIN not in query.modalities:
        features = list(question.reference.features[PROTEIN])
        imputed = model.impute(PROTEIN, mdata=mdata, seed=seed).to_df(layer="log1p_mean")
        protein = imputed.loc[names, features].to_numpy()
    order = mdata.obs_names.get_indexer(names)
    return Answer(
        probabilities=share,
        sets=np.array([[one in found.split("|") for one in types] for found in sets]),
        query=model.get_latent_representation(mdata)[order],
        reference=reference,
        protein=protein,
    )
