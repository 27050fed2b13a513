"""Tables of the speed benchmark: medians over repeats, with the lowest and the highest."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from benchmarks.speed.methods import OURS

SPREAD = ("cells_per_s", "seconds_to_peer_nll")
"""Columns of which the lowest and the highest repeat are given too."""

NOT_FIGURES = ("seed", "held_out_nll", "curve")


def target(run: Mapping[str, Any]) -> str:
    """Return the modality whose likelihood is compared: the last one."""
    return str(list(run["held_out_nll"])[-1])


def seconds_to_peer(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> float:
    """Seconds until a run's held-out NLL of the last modality is that of the trained peer.

    The peer is the run of the same batch size and seed, after all its epochs; for the peer itself
    it is when it first came to its own final value. Infinite if it was never reached, NaN if there
    is no peer.
    """
    peers = [
        other
        for other in runs
        if other["method"] not in OURS
        and (other["batch_size"], other["seed"]) == (run["batch_size"], run["seed"])
    ]
    if not peers:
        return math.nan
    part = target(run)
    goal = peers[0]["held_out_nll"][part]
    reached = (point["seconds"] for point in run["curve"] if point[part] <= goal)
    return min(reached, default=math.inf)


def summary(runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Take medians over the repeats of each method and batch size, beside the peer's.

    Returns
    -------
    One row per batch size and method, the fastest first. ``times_peer`` is the ratio of median
    cells per second, ``times_sooner`` that of the peer's median seconds to its final likelihood and
    the method's (above 1: the method is faster). All other columns are medians; ``_lowest`` and
    ``_highest`` are single repeats.
    """
    table = pd.DataFrame([_figures(run, runs) for run in runs])
    groups = table.groupby(["batch_size", "method"], sort=False)
    middle = groups.median()
    counts = [str(name) for name in middle if pd.api.types.is_integer_dtype(table[name])]
    middle[counts] = groups[counts].first()
    for name in SPREAD:
        place = list(middle.columns).index(name) + 1
        middle.insert(place, f"{name}_lowest", groups[name].min())
        middle.insert(place + 1, f"{name}_highest", groups[name].max())
    found = middle.reset_index()
    peers = found[~found["method"].isin(OURS)].set_index("batch_size")
    size = found["batch_size"]
    ratio = found["cells_per_s"] / size.map(peers["cells_per_s"])
    sooner = size.map(peers["seconds_to_peer_nll"]) / found["seconds_to_peer_nll"]
    found.insert(2, "times_peer", ratio)
    found.insert(3, "times_sooner", sooner)
    found.insert(4, "repeats", groups.size().to_numpy())
    order = found.sort_values(["batch_size", "cells_per_s"], ascending=[True, False])
    return order.reset_index(drop=True)


def _figures(run: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "batch_size": run["batch_size"],
        "method": run["method"],
        "cells_per_s": run["cells_per_s"],
        "seconds_to_peer_nll": seconds_to_peer(run, runs),
        **{k: v for k, v in run.items() if k not in NOT_FIGURES},
        **nll_columns(run),
    }


def nll_columns(run: Mapping[str, Any]) -> dict[str, float]:
    """Return held-out likelihoods of a run, as columns."""
    return {f"nll_{name}": value for name, value in run["held_out_nll"].items()}


def default_table(runs: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Return one row per default run."""
    return pd.DataFrame(
        [
            {**{k: v for k, v in run.items() if k not in NOT_FIGURES}, **nll_columns(run)}
            for run in runs
        ]
    )
