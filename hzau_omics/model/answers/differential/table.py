"""The table of one comparison: test, effect, and what was seen in the cells."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control

from hzau_omics.model.answers.differential.groups import Comparison
from hzau_omics.model.answers.differential.request import TestOptions
from hzau_omics.nn.differential.counts import GroupSums, rate
from hzau_omics.nn.differential.effect import (
    GroupMeans,
    as_error,
    group_means,
    log_ratio,
    offsets,
    p_value_beyond,
    pseudocount,
)
from hzau_omics.nn.differential.exchange import ResidualSums, p_values
from hzau_omics.nn.differential.predicted import Completion
from hzau_omics.nn.differential.prior import Expected, Posterior, log_odds, posterior

Array = NDArray[np.float64]

INTERVAL = (0.05, 0.95)
CELLS = "cells"


@dataclass(frozen=True)
class Evidence:
    """What is known of two groups.

    Attributes
    ----------
    comparison
        The groups.
    sums
        Sums of the measured values of all groups.
    residuals
        Sums of residuals of the groups that take part.
    dispersion
        Overdispersion of each feature over these groups (feature,).
    completion
        Predictions for cells that lack the values, and for the prior.
    """

    comparison: Comparison
    sums: GroupSums
    residuals: ResidualSums
    dispersion: Array
    completion: Completion

    @cached_property
    def sides(self) -> tuple[GroupSums, GroupSums]:
        """Sums of the two groups (batch, feature)."""
        one, other = self.comparison.members
        return self.sums.pick(one), self.sums.pick(other)


def comparison_table(
    evidence: Evidence, options: TestOptions, names: "pd.Index[str]"
) -> pd.DataFrame:
    """Return one row per feature, most certain first.

    Parameters
    ----------
    evidence
        What is known of the groups.
    options
        What is tested.
    names
        Names of the features.
    """
    members = evidence.comparison.members
    one, other = evidence.sides
    means = group_means(one, other, evidence.dispersion)
    completed = evidence.completion.of(means, members)
    silent = pseudocount(one, other) if one.total.any() or other.total.any() else _least(completed)
    lacks = evidence.completion.lacking(np.concatenate(members))
    offset = offsets(one, other, silent, lacks)
    change, error = log_ratio(completed.mean, completed.variance, offset)
    p_value, error = _tested(evidence, change, error, lacks, means)
    change = np.where(_known(evidence, lacks), change, 0.0)
    beyond = p_value_beyond(change, error, options.threshold)
    p_value = np.maximum(p_value, beyond) if options.threshold > 0 else p_value
    q_value = false_discovery_control(p_value)
    believed = posterior(change, error, _expected(evidence, silent, lacks))
    columns = belief(believed, options) | {
        "lfc": change,
        "lfc_error": error,
        "p_value": p_value,
        "q_value": q_value,
        f"is_de_fdr_{options.fdr_target}": q_value <= options.fdr_target,
        **_of_cells(evidence),
        "pseudocount1": offset[0],
        "pseudocount2": offset[1],
        "delta": options.threshold,
        "replicates": CELLS,
        "comparison": " vs ".join(evidence.comparison.names),
        "group1": evidence.comparison.names[0],
        "group2": evidence.comparison.names[1],
    }
    table = pd.DataFrame(columns, index=names.rename("feature"))
    order = np.lexsort((-np.abs(change), p_value))
    return table.iloc[order]


def _known(evidence: Evidence, lacks: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return of which features both groups have cells, and some count or prediction (feature,)."""
    n = [evidence.completion.n_cells[side].sum((0, 1)) for side in evidence.comparison.members]
    counts = np.sum([side.total.sum(0) for side in evidence.sides], axis=0)
    return np.asarray((np.minimum(*n) > 0) & (lacks | (counts > 0)))


def _least(means: GroupMeans) -> float:
    positive = means.mean[means.mean > 0]
    return float(positive.min()) / 100 if positive.size else 1e-8


def _tested(
    evidence: Evidence,
    change: Array,
    error: Array,
    lacks: NDArray[np.bool_],
    means: GroupMeans,
) -> tuple[Array, Array]:
    """Return p-values of no change, and standard errors that agree with them.

    Measured cells are exchanged within batches. Where predictions take part, the p-value is that of
    the completed change, and where a group rests on few measured cells, the larger of the two.
    """
    members = evidence.comparison.members
    exchanged, _ = p_values(*(evidence.residuals.pick(side) for side in members))
    plain = p_value_beyond(change, error, 0.0)
    few = evidence.completion.rests_on_few(means, members)
    p_value = np.where(means.shared & few, np.maximum(exchanged, plain), plain)
    p_value = np.where(means.shared & ~lacks, exchanged, p_value)
    p_value = np.where(_known(evidence, lacks), p_value, 1.0)
    of_cells = means.shared & (few | ~lacks)
    return p_value, np.where(of_cells, as_error(change, p_value, error), error)


def _expected(evidence: Evidence, silent: float, lacks: NDArray[np.bool_]) -> Expected | None:
    """Return what the decoder expects; nothing where it is part of the estimate already."""
    if lacks.any():
        return None
    found = [evidence.completion.means(side) for side in evidence.comparison.members]
    mean, variance = (np.stack(parts) for parts in zip(*found, strict=True))
    change, error = log_ratio(mean, variance, silent)
    return Expected(change, error**2)


def belief(believed: Posterior, options: TestOptions) -> dict[str, Any]:
    """Return the columns that say what is believed of changes.

    Parameters
    ----------
    believed
        Posterior of each feature's log2 fold change.
    options
        What is tested.
    """
    delta = options.threshold
    above, below = believed.above(delta), 1.0 - believed.above(-delta)
    # A point at -delta itself is no change.
    zero = believed.above(-1e-12) - believed.above(0.0) if delta == 0 else 0.0
    below = np.maximum(below - zero, 0.0) if delta == 0 else below
    found: dict[str, Any] = {}
    if options.mode == "vanilla":
        known = np.maximum(above + below, 1e-12)
        found |= {"proba_m1": above / known, "proba_m2": below / known}
        found["bayes_factor"] = log_odds(found["proba_m1"])
    proba = np.clip(np.maximum(above, below), 0.0, 1.0)
    found |= {"proba_de": proba, "proba_not_de": 1.0 - proba}
    found.setdefault("bayes_factor", log_odds(proba))
    low, high = (believed.quantile(q) for q in INTERVAL)
    return found | {
        "lfc_mean": believed.expectation(),
        "lfc_median": believed.quantile(0.5),
        "lfc_std": believed.spread(),
        "lfc_q05": low,
        "lfc_q95": high,
    }


def _of_cells(evidence: Evidence) -> dict[str, Array]:
    """Return what was seen in each group: means, shares of cells, and the model's means."""
    found: dict[str, Array] = {}
    for i, (side, members) in enumerate(
        zip(evidence.sides, evidence.comparison.members, strict=True), start=1
    ):
        n = side.n.sum(0)
        known = n > 0
        values = {
            f"scale{i}": evidence.completion.means(members)[0],
            f"raw_mean{i}": np.where(known, rate(side.total.sum(0), n), np.nan),
            f"raw_normalized_mean{i}": np.where(
                known, rate(side.total.sum(0), side.size.sum(0)), np.nan
            ),
            f"non_zeros_proportion{i}": np.where(known, rate(side.detected.sum(0), n), np.nan),
            f"measured{i}": evidence.completion.share_measured(members),
        }
        found |= values
    return {name: found[name] for name in sorted(found)}
