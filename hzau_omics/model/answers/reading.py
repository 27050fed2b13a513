"""Annotations of cells: what is computed for each minibatch, which is encoded once for all."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.minibatch import Minibatch
from hzau_omics.model.session import InferenceSession, evaluating
from hzau_omics.nn.posterior.pools import Posterior
from hzau_omics.nn.scoring.measurements import MeasurementScores

Annotations = Mapping[str, NDArray[np.float32] | pd.DataFrame]


class Reading:
    """A minibatch that is encoded once for all annotations."""

    def __init__(self, session: InferenceSession, batch: Minibatch, names: "pd.Index[str]") -> None:
        self.session, self.batch, self.names = session, batch, names
        self.scores = MeasurementScores(session.network, batch)

    @cached_property
    def infer(self) -> Callable[[Tensor], Posterior]:
        """Function that gives posteriors from any of the modalities (cell, modality)."""
        if self.session.adaptation is None:
            return partial(self.session.network.infer, self.scores.encoded)
        return self.session.inference(self.batch)

    @cached_property
    def posterior(self) -> Posterior:
        """Posterior of all measured modalities."""
        present = self.batch.present
        return self.session.checked(self.infer(present), present)

    @property
    def point(self) -> Tensor:
        """Place of each cell in shared coordinates (cell, latent)."""
        return self.session.place(self.posterior.q.mean, self.batch, self.batch.present)


@dataclass(frozen=True)
class Annotation:
    """One entry of ``obsm``.

    Attributes
    ----------
    key
        Its name.
    values
        Function of a minibatch that returns the entry for its cells, (cell, column).
    columns
        Names of its columns, or their number for a plain array.
    """

    key: str
    values: Callable[[Reading], Tensor]
    columns: tuple[str, ...] | int

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.columns if isinstance(self.columns, int) else len(self.columns)


def annotate(session: InferenceSession, annotations: Sequence[Annotation]) -> Annotations:
    """Compute all annotations in one pass over the cells."""
    made = {one.key: np.empty((len(session), one.width), np.float32) for one in annotations}
    with evaluating(session.network):
        for rows, batch in session.minibatches():
            reading = Reading(session, batch, session.obs_names[rows])
            for entry in annotations:
                made[entry.key][rows] = entry.values(reading).cpu().numpy()
    return {
        entry.key: made[entry.key]
        if isinstance(entry.columns, int)
        else pd.DataFrame(made[entry.key], index=session.obs_names, columns=list(entry.columns))
        for entry in annotations
    }
