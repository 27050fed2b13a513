"""Training throughput of HZAU-VAE beside totalVI or MultiVI, on the same cells in the same run.

``python -m benchmarks.speed citeseq_pbmc10k_totalvi.h5mu --batch-size 128 --batch-size 512`` times
``train()`` as a user calls it, with default arguments: ten epochs after one for warm-up, each with
a validation split, and everything that ``train()`` does besides. Cells per second count all cells
of the file (training and validation) per epoch; higher is better.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.command import run_command
from benchmarks.common.data import find_file
from benchmarks.common.process import in_process
from benchmarks.common.report import environment, markdown, run_name, write_run
from benchmarks.speed.run import BUILDERS, SpeedRun
from hzau_omics.errors import ConfigError

_logger = logging.getLogger("benchmarks")

OURS = ("hzau-vae", "hzau-vae-float32")


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    p.add_argument("file", help="h5mu file: a path, a name in HZAU_OMICS_DATA or in the registry")
    p.add_argument(
        "--against", help="totalvi or multivi (default: by modality); 'none' for ours alone"
    )
    p.add_argument("--batch-size", type=int, action="append", help="may be repeated (128, 512)")
    p.add_argument("--epochs", type=int, default=10, help="epochs that are timed")
    p.add_argument("--repeats", type=int, default=1, help="runs of each; the fastest counts")
    p.add_argument("--accelerator", default="auto", choices=["auto", "cpu", "gpu"])
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="for CSV and JSON")
    return p


def choose_methods(against: str | None, modalities: Sequence[str]) -> tuple[str, ...]:
    """Choose ours and a peer, by modality unless one is named.

    Raises
    ------
    ConfigError
        If the peer is unknown.
    """
    if against is None:
        against = "multivi" if "atac" in modalities else "totalvi"
    if against == "none":
        return OURS
    if against not in set(BUILDERS) - set(OURS):
        message = f"--against takes totalvi, multivi or none. Received {against!r}."
        raise ConfigError(message)
    return (*OURS, against)


def run_once(run: SpeedRun) -> dict[str, Any]:
    """Run in a process of its own.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    what = f"{run.method}, batch size {run.batch_size}"
    return in_process("benchmarks.speed.run", run, what)


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


def picture(table: pd.DataFrame, path: Path) -> Path:
    """Draw cells per second per method and batch size, and write a PNG."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    wide = table.pivot_table(index="batch_size", columns="method", values="cells_per_s")
    order = [m for m in (*OURS, *BUILDERS) if m in wide]
    figure, ax = plt.subplots(figsize=(5, 3), layout="constrained")
    wide[list(dict.fromkeys(order))].plot.bar(
        ax=ax, rot=0, color=["#0072B2", "#56B4E9", "#999999"], width=0.75
    )
    ax.set(xlabel="batch size", ylabel="cells / s in train()")
    for bars in ax.containers:
        ax.bar_label(bars, fmt="{:,.0f}", fontsize=8)
    ax.legend(frameon=False, title=None)
    ax.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    plt.close(figure)
    return path


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    import mudata

    path = find_file(args.file)
    modalities = list(mudata.read_h5mu(path, backed=True).mod)
    methods = choose_methods(args.against, modalities)
    runs = []
    for _ in range(args.repeats):
        for size in args.batch_size or [128, 512]:
            for method in methods:
                run = SpeedRun(
                    method=method,
                    path=str(path),
                    batch_size=size,
                    epochs=args.epochs,
                    accelerator=args.accelerator,
                    threads=args.threads,
                )
                runs.append(run_once(run))
                _logger.info(
                    "%s, batch size %d: %.0f cells/s", method, size, runs[-1]["cells_per_s"]
                )
    table = summary(runs)
    print(markdown(table, digits=2))
    record = {
        "benchmark": "speed",
        "file": path.name,
        **environment(command=command, threads=args.threads),
        "runs": runs,
    }
    name = run_name("speed", path.stem)
    paths = write_run(args.out, name, {"": table}, record)
    return [*paths, picture(table, args.out / f"{name}.png")]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where the file or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
