"""HZAU-VAE of the reference, trained further on the cells of each query."""

from typing import Any

from benchmarks.common.model import model_class
from benchmarks.integration.methods.exchange import Cells
from benchmarks.integration.methods.ours import as_mudata
from benchmarks.mapping.methods.exchange import Answer, Question
from benchmarks.mapping.methods.ours import PACKAGES, Ours, answered, fit as fit_reference

__all__ = ["PACKAGES", "fit"]


class Trained(Ours):
    """A model of the reference, of which each query gets a copy."""

    def answer(self, query: Cells, seconds: float) -> Answer:
        """Train what the query adds, and ask the new model."""
        mdata = as_mudata(query)
        model_type: Any = model_class()
        model = model_type.load_query_data(mdata, self.model)
        model.train(seed=self.seed, enable_progress_bar=False)
        latent = model.get_latent_representation(self.mdata)
        return answered(
            model,
            mdata,
            query,
            question=self.question,
            reference=latent,
            seed=self.seed,
        )


def fit(question: Question, seed: int, seconds: float) -> Trained:
    """Train on the reference."""
    return Trained(**vars(fit_reference(question, seed, seconds)))
