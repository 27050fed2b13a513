"""Differential expression and accessibility, as methods of every system."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from mudata import MuData
from numpy.typing import ArrayLike

from hzau_omics.data import CellStore, DataLayout
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.differential.analysis import Analysis
from hzau_omics.model.answers.differential.groups import (
    Groups,
    cells_of,
    column_of,
    groups_of_column,
    groups_of_indices,
    only_labels,
)
from hzau_omics.model.answers.differential.pseudobulk import add_pseudobulk
from hzau_omics.model.answers.differential.request import Mode, TestOptions, check_comparable
from hzau_omics.model.answers.draws import select_features
from hzau_omics.model.session import (
    InferenceSession,
    check_given,
    draw_seed,
)


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
            Column of ``obs`` with groups. Cells without a value belong to none. If it is the labels
            key, nor do cells without a label (`unlabeled_category`), unless a group names them.
        group1
            Group or groups to compare, each in turn; None for all that are large enough.
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
            of which each sample gives one per group (PyDESeq2: ``pip install '.[de]'`` in a
            clone).
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
            A group that is named does not exist or has fewer than two cells, no group has two,
            or a feature is unknown.
        ConfigError
            An option is out of range, groups overlap, the modality has no amounts to compare, or
            there are no replicates.

        Warns
        -----
        HzauWarning
            The two groups share no batch, so that their difference cannot be told from that of the
            batches; or groups that were not named are left out, as they have too few cells or
            samples.

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
        samples = (
            None if sample_key is None
            else column_of(source, session.store, sample_key, "sample_key")
        )  # fmt: skip
        analysis = Analysis(
            self, session, modality, chosen, options, names, draw_seed(seed),
            samples_are_batches=samples is not None and _one_each(samples, session.store),
        )  # fmt: skip
        groups = analysis.usable(groups, mdata)
        table = analysis.table(groups)
        if samples is not None:
            table = add_pseudobulk(table, analysis.values, groups, samples, options)
        return table

    def _check_compared(self, modality: str) -> None:
        self._check_generated(modality)
        check_comparable(modality, self.layout.modality(modality).spec)


def _one_each(samples: "pd.Series[Any]", store: CellStore) -> bool:
    """Return whether each batch is of one sample."""
    own = samples.astype(object).groupby(store.batch)
    return int(own.nunique(dropna=False).max()) == 1


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
    labels = session.layout.labels
    if labels is not None and labels.key == groupby:
        column = only_labels(column, labels.categories, group1, group2)
    return groups_of_column(column, group1, group2, key=groupby)
