"""Differential expression and accessibility, as methods of every system."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.data import DataLayout
from hzau_omics.errors import ConfigError, HzauWarning
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.differential.groups import (
    NONE,
    Groups,
    cells_of,
    column_of,
    groups_of_column,
    groups_of_indices,
)
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
from hzau_omics.model.answers.differential.pseudobulk import add_pseudobulk
from hzau_omics.model.answers.differential.request import Mode, TestOptions, check_comparable
from hzau_omics.model.answers.differential.table import Evidence, comparison_table
from hzau_omics.model.answers.draws import select_features
from hzau_omics.model.session import (
    InferenceSession,
    check_given,
    draw_seed,
    evaluating,
    make_generator,
)
from hzau_omics.nn.differential.counts import GroupSums, dispersions
from hzau_omics.nn.differential.predicted import LACKING, MEASURED, Bias, Completion

FOR_BIAS, FEWEST_FOR_BIAS = 4000, 100
"""Measured cells that say how far predictions are off: at most, and at least."""


class Differential(Answers):
    """What differs between groups of cells."""

    def differential_expression(  # noqa: PLR0913, PLR0917 - scvi-tools' arguments, in its order
        self,
        modality: str,
        groupby: str | None = None,
        group1: str | Sequence[str] | None = None,
        group2: str | Sequence[str] | None = None,
        idx1: ArrayLike | str | None = None,
        idx2: ArrayLike | str | None = None,
        mdata: Cells = None,
        *,
        mode: Mode = "change",
        delta: float | None = None,
        fdr_target: float = 0.05,
        batch_correction: bool = True,
        sample_key: str | None = None,
        min_reliability: float | None = None,
        given: str | Sequence[str] | None = None,
        n_samples: int = 1000,
        features: str | Sequence[str] | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Test which features differ between groups of cells.

        Counts are compared within batches: the p-value comes from all exchanges of cells between
        the two groups (a score test of a count model, docs/method.md, equation 49), and keeps its
        error rate if cells are independent. Cells of one donor are not: give `sample_key`. Cells
        that lack the modality take part by what the model predicts from their other modalities,
        corrected and weighed by cells that were measured (prediction-powered inference); groups
        without any measured cell by predictions alone, with their error between groups.

        Parameters
        ----------
        modality
            Modality with counts, or with shares such as chromatin accessibility.
        groupby
            Column of ``obs`` with groups. Cells without a value belong to none.
        group1
            Group or groups to compare, each in turn; None for all.
        group2
            Group or groups to compare with; None for the rest.
        idx1, idx2
            In place of `groupby`: positions of cells, a mask, or a query of columns of ``obs`` such
            as ``"day > 3"``. Without `idx2`, the rest.
        mdata
            Cells; None for the training data.
        mode
            ``"change"`` asks whether the log2 fold change exceeds `delta`; ``"vanilla"`` which
            group is higher.
        delta
            Log2 fold change that does not count as a change; None for 0.25. With 0 any change
            counts.
        fdr_target
            False discovery rate of the calls.
        batch_correction
            Whether cells are compared within batches, and decoded as an average batch.
        sample_key
            Column of ``obs`` with the donor or sample of each cell. Samples are then the
            replicates: calls, changes, intervals and probabilities come from a test of pseudobulks,
            of which each sample gives one per group (PyDESeq2; needs
            ``pip install 'hzau-omics[de]'``).
        min_reliability
            Leave out measurements whose reliability is lower (HZAU-VAE).
        given
            Modalities to predict missing values from; None for all others.
        n_samples
            Latents drawn per group, in at most as many cells.
        features
            Features to test; None for all. Rates are corrected for as many tests.
        batch_size, seed
            As in :meth:`impute`. Measured values are used as they are: the seed only matters to
            predictions.

        Returns
        -------
        Data frame with one row per comparison and feature, the smallest p-value of each comparison
        first:

        - ``proba_de``: posterior probability of a change beyond `delta` in the likelier direction,
          under a prior learned from all features and from what the decoder expects;
          ``proba_not_de`` is the rest, and ``bayes_factor`` its natural log odds.
        - ``lfc_mean``, ``lfc_median``, ``lfc_std``, ``lfc_q05``, ``lfc_q95``: the posterior of the
          log2 fold change of group 1 over group 2; ``lfc`` is the plain estimate, and
          ``lfc_error`` its standard error.
        - ``p_value``, ``q_value`` (Benjamini and Hochberg), ``is_de_fdr_<fdr_target>``: the call.
        - ``scale1``, ``scale2``: what the model expects; shares of the cell's total, or values of
          panels of fewer than 100 features.
        - ``raw_mean1``, ``raw_normalized_mean1``, ``non_zeros_proportion1``, ...: means of measured
          values, of their shares, and shares of cells with a value above 0.
        - ``measured1``, ``measured2``: share of the cells of each group that were measured.
        - ``pseudocount1``, ``pseudocount2``: what is added to the means before a ratio: half a
          count; to predictions, what features show that are not expressed.
        - ``replicates``: ``"cells"``, or ``"samples"`` with `sample_key`. All of the above but the
          means are then of samples, and what cells say stands beside as ``cells_lfc``,
          ``cells_lfc_mean``, ``cells_lfc_std``, ``cells_lfc_q05``, ``cells_lfc_q95`` and
          ``cells_proba_de``. Features that samples hardly count are not tested: their p-value is 1,
          ``lfc`` and intervals are NaN.
        - ``comparison``, ``group1``, ``group2``.

        Raises
        ------
        DataContractError
            A group does not exist or has fewer than two cells, or a feature is unknown.
        ConfigError
            An option is out of range, groups overlap, the modality has no amounts to compare, or
            there are no replicates.

        Warns
        -----
        HzauWarning
            The two groups share no batch, so that their difference cannot be told from that of the
            batches.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> found = model.differential_expression("rna", "cell_type", "type_0", "type_1", seed=0)
        >>> bool(found["q_value"].between(0, 1).all())
        True
        """
        options = TestOptions(
            mode=mode,
            delta=delta,
            fdr_target=fdr_target,
            batch_correction=batch_correction,
            min_reliability=min_reliability,
            n_samples=n_samples,
        )
        self._check_compared(modality)
        session = self._session(mdata, None, batch_size)
        source = self.adata if mdata is None else mdata
        groups = _groups(session, source, groupby, group1, group2, idx1, idx2)
        chosen = select_features(self.layout, modality, features)
        names = _sources(self.layout, modality, check_given(self.layout, given))
        analysis = _Analysis(self, session, modality, chosen, options, names, draw_seed(seed))
        groups = analysis.usable(groups, mdata)
        table = analysis.table(groups)
        if sample_key is not None:
            samples = column_of(source, session.store, sample_key, "sample_key")
            table = add_pseudobulk(table, analysis.values, groups, samples, options)
        return table

    def _check_compared(self, modality: str) -> None:
        self._check_generated(modality)
        check_comparable(modality, self.layout.modality(modality).spec)


@dataclass(frozen=True)
class _Analysis:
    """One call of `differential_expression`."""

    model: Answers
    session: InferenceSession
    modality: str
    features: NDArray[np.int64]
    options: TestOptions
    given: tuple[str, ...]
    seed: int

    @property
    def values(self) -> MeasuredValues:
        return MeasuredValues(
            self.session, self.modality, self.features, self.options.batch_correction
        )

    @property
    def names(self) -> "pd.Index[str]":
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
        kept = groups.without(without)
        kept.check_sizes(self.modality)
        return kept

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
        if not (self.options.batch_correction and self.values.n_batches > 1):
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


def _sources(layout: DataLayout, modality: str, given: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the modalities that missing values are predicted from.

    Raises
    ------
    ConfigError
        `given` names the modality itself.
    """
    if given is None:
        return tuple(name for name in layout.names if name != modality)
    if modality in given:
        msg = (
            "Values that cells lack are predicted from other modalities. Received given= with "
            f"{modality!r} itself, which these cells lack. Leave it out."
        )
        raise ConfigError(msg)
    return given


def _some(positions: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    if len(positions) <= FOR_BIAS:
        return positions
    return np.sort(rng.choice(positions, FOR_BIAS, replace=False))


def _groups(  # noqa: PLR0917 - the arguments of the method
    session: InferenceSession,
    source: MuData | object,
    groupby: str | None,
    group1: object,
    group2: object,
    idx1: ArrayLike | str | None,
    idx2: ArrayLike | str | None,
) -> Groups:
    if (groupby is None) == (idx1 is None):
        msg = (
            "Groups come from a column (groupby) or from cells (idx1). Received "
            f"{'neither' if groupby is None else 'both'}. Give one."
        )
        raise ConfigError(msg)
    if groupby is None:
        if group1 is not None or group2 is not None:
            msg = (
                "group1 and group2 name groups of a column. Received them with idx1. Give groupby."
            )
            raise ConfigError(msg)
        assert idx1 is not None
        one = cells_of(idx1, "idx1", session.store, source)
        other = None if idx2 is None else cells_of(idx2, "idx2", session.store, source)
        return groups_of_indices(one, other, len(session))
    if idx2 is not None:
        msg = "idx2 goes with idx1. Received it with groupby. Give group2, or leave groupby out."
        raise ConfigError(msg)
    column = column_of(source, session.store, groupby, "groupby")
    return groups_of_column(column, group1, group2, key=groupby)
