"""Table of the speed benchmark: the fastest run of each method, beside the peer."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from benchmarks.speed.run import OURS


def seconds_to_peer(run: dict[str, Any], runs: Sequence[dict[str, Any]]) -> float:
    """Seconds until a run's held-out NLL of the last modality is that of the trained peer.

    The peer is the one of the same batch size, after all its epochs; NaN if it was never reached,
    or if there is none.
    """
    peers = [r for r in runs if r["method"] not in OURS and r["batch_size"] == run["batch_size"]]
    if not peers or not run.get("curve"):
        return float("nan")
    part = list(run["held_out_nll"])[-1]
    # MultiVI gives a likelihood of 0 for protein that was not registered.
    goal = [value for value in peers[0]["held_out_nll"].values() if value][-1]
    reached = [point["seconds"] for point in run["curve"] if point[part] <= goal]
    return min(reached, default=float("nan"))


def summary(runs: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Take the fastest run per method and batch size, beside the slowest method of that size."""
    table = pd.DataFrame(
        [
            {
                **{k: v for k, v in run.items() if k not in {"held_out_nll", "curve"}},
                "seconds_to_peer_nll": seconds_to_peer(run, runs),
                **{f"nll_{k}": v for k, v in run["held_out_nll"].items()},
            }
            for run in runs
        ]
    )
    keys = ["batch_size", "method"]
    fastest = table.sort_values("cells_per_s", ascending=False).drop_duplicates(keys)
    fastest = fastest.sort_values([*keys[:1], "cells_per_s"], ascending=[True, False])
    peer = fastest[~fastest["method"].isin(OURS)].set_index("batch_size")["cells_per_s"]
    ratio = fastest["cells_per_s"] / fastest["batch_size"].map(peer)
    fastest.insert(2, "times_peer", ratio)
    return fastest.reset_index(drop=True)
