"""One comparison of groups from first sums to the table: values, predictions, residuals."""

import warnings
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hzau_omics.errors import ConfigError, HzauWarning
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.differential.groups import NONE, Groups
from hzau_omics.model.answers.differential.measured import (
    MeasuredValues,
    sum_groups,
    sum_residuals,
)
from hzau_omics.model.answers.differential.predicted import (
    Predictions,
    batches_to_decode_as,
    draw_sample,
)
from hzau_omics.model.answers.differential.request import TestOptions
from hzau_omics.model.answers.differential.table import Evidence, comparison_table
from hzau_omics.model.session import InferenceSession, evaluating, make_generator
from hzau_omics.nn.differential.counts import GroupSums, dispersions
from hzau_omics.nn.differential.predicted import LACKING, MEASURED, Bias, Completion

FOR_BIAS, FEWEST_FOR_BIAS = 4000, 100
"""Measured cells that say how far predictions are off: at most, and at least."""


@dataclass(frozen=True)
class Analysis:
    """One comparison of groups of a session's cells.

    Attributes
    ----------
    model
        A trained model.
    session
        The cells.
    modality
        Modality whose values are compared.
    features
        Positions of its features that are tested.
    options
        How they are tested.
    given
        Modalities that missing values are predicted from; empty to compare measured values alone.
    seed
        Seed of all draws.
    samples_are_batches
        Whether samples decide afterwards and each batch is of one of them: groups that share no
        batch need no warning then.
    """

    model: Answers
    session: InferenceSession
    modality: str
    features: NDArray[np.int64]
    options: TestOptions
    given: tuple[str, ...]
    seed: int
    samples_are_batches: bool = False

    @property
    def values(self) -> MeasuredValues:
        """The measured values of the cells."""
        return MeasuredValues(
            self.session, self.modality, self.features, self.options.batch_correction
        )

    @property
    def names(self) -> "pd.Index[str]":
        """Names of the features that are tested."""
        return pd.Index(self.session.layout.modality(self.modality).var_names)[self.features]

    def usable(self, groups: Groups, mdata: Cells) -> Groups:
        """Return the groups without cells that say nothing of the modality."""
        layout, store = self.session.layout, self.session.store
        sources = [layout.names.index(name) for name in (self.modality, *self.given)]
        without = ~store.present[self.session.cells][:, sources].any(1)
        least = self.options.min_reliability
        if least is not None:
            found = self.model.get_reliability(mdata)  # type: ignore[attr-defined]
            reliability = found[self.modality].to_numpy()
            self._check_reliability(reliability)
            without |= reliability < least
        return groups.without(without).of_enough_cells(self.modality)

    def _check_reliability(self, reliability: NDArray[np.floating]) -> None:
        has = self.session.store.present[self.session.cells, self.values.index]
        unknown = int((has & np.isnan(reliability)).sum())
        if unknown:
            msg = (
                f"min_reliability needs the reliability of each measurement of {self.modality!r}. "
                f"Received {unknown:,} cells for which it is not known, such as cells of new "
                "batches. Leave min_reliability out, or these cells."
            )
            raise ConfigError(msg)

    def table(self, groups: Groups) -> pd.DataFrame:
        """Return the tables of all comparisons."""
        values = self.values
        with evaluating(self.session.network):
            sums = sum_groups(values, groups.codes, len(groups.names))
            completion = self._completion(groups, sums)
            members = np.empty(0, np.int64)
            parts = []
            for comparison in groups.comparisons:
                # Each group against the rest: all comparisons are of the same cells.
                if not np.array_equal(members, np.sort(comparison.all_members)):
                    members = np.sort(comparison.all_members)
                    dispersion = dispersions(sums.of(members))
                    residuals = sum_residuals(values, groups.codes, sums, members, dispersion)
                evidence = Evidence(comparison, sums, residuals, dispersion, completion)
                self._warn_of_batches(evidence)
                parts.append(comparison_table(evidence, self.options, self.names))
        return pd.concat(parts)

    def _completion(self, groups: Groups, sums: GroupSums) -> Completion:
        session, rng = self.session, np.random.default_rng(self.seed)
        index = self.values.index
        has = session.store.present[session.cells, index]
        donors = session.layout.donors(self.modality)
        in_groups = groups.codes != NONE
        lacking = (
            bool((~has[in_groups]).any())
            or session.layout.modality(self.modality).panel is not None
        )
        predictions = Predictions(
            self.values,
            self.given if lacking and self.given else None,
            batches_to_decode_as(donors, rng) if self.options.batch_correction else None,
            make_generator(self.seed, session.device),
        )
        sample = draw_sample(groups.codes, has, self.options.n_samples, rng)
        found = predictions.sums(sample, len(groups.names))
        n_cells = np.zeros_like(found.n)
        counts = groups.counts()
        n_cells[:, MEASURED] = sums.n.sum(1)
        # With one modality there is nothing to predict it from.
        if self.given:
            n_cells[:, LACKING] = counts[:, None] - n_cells[:, MEASURED]
        return Completion(n_cells, found, self._bias(predictions, n_cells, rng))

    def _bias(
        self, predictions: Predictions, n_cells: NDArray[np.float64], rng: np.random.Generator
    ) -> Bias:
        n = n_cells.shape[-1]
        if not n_cells[:, LACKING].any():
            return Bias(np.ones(n), np.zeros(n))
        session = self.session
        measured = np.flatnonzero(session.store.present[session.cells, self.values.index])
        if len(measured) < FEWEST_FOR_BIAS:
            return self._bias_of_training_data(predictions, rng)
        return predictions.bias(_some(measured, rng), self.seed)

    def _bias_of_training_data(self, predictions: Predictions, rng: np.random.Generator) -> Bias:
        store = self.model._store
        if store is None:
            msg = (
                f"Too few of these cells were measured in {self.modality!r} to know how far "
                "predictions are off, and the model holds no training data. Load it with data, "
                "load(folder, mdata), or give cells that were measured too."
            )
            raise ConfigError(msg)
        session = self.model._session(None, None, self.session.batch_size)
        has = session.store.present[session.cells, self.values.index]
        of_training = replace(predictions, values=replace(self.values, session=session))
        return of_training.bias(_some(np.flatnonzero(has), rng), self.seed)

    def _warn_of_batches(self, evidence: Evidence) -> None:
        one, other = evidence.sides
        corrected = self.options.batch_correction and self.values.n_batches > 1
        if self.samples_are_batches or not corrected:
            return
        both_measured = one.n.any() and other.n.any()
        if both_measured and not ((one.n > 0) & (other.n > 0)).any():
            names = evidence.comparison.names
            warnings.warn(
                f"Groups {names[0]!r} and {names[1]!r} share no batch of {self.modality!r}: a "
                "difference between them may be one between batches. If batches are samples, "
                "give sample_key; otherwise these calls have no known error rate.",
                HzauWarning,
                stacklevel=4,
            )


def _some(positions: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(positions) <= FOR_BIAS:
        return positions
    return np.sort(rng.choice(positions, FOR_BIAS, replace=False))
