"""Label conservation and batch mixing of HZAU-VAE beside uncorrected PCA, with a UMAP.

``python -m benchmarks.integration multiome_snareseq_mouse_cortex.h5mu`` trains on all cells (RNA
with a negative binomial, chromatin as 0/1 with a Bernoulli likelihood, batch given), drops cells
whose label is unknown, and computes scib-metrics (extra ``metrics``) on both embeddings. The labels
must not be made from one of the modalities, as PBMC protein gates are: such a score would say
nothing.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import mudata

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.data import find_file
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.task import UNKNOWN
from benchmarks.integration.data import check_keys, scored_cells
from benchmarks.integration.figures import umap_picture
from benchmarks.integration.run import embeddings, metric_table


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.integration", description=__doc__)
    p.add_argument("file", help="h5mu: a path, or a name in HZAU_OMICS_DATA or the registry")
    p.add_argument("--modality", action="append", default=[], help="MODALITY=LIKELIHOOD")
    p.add_argument("--pca-modality", default="rna", help="modality of the PCA")
    p.add_argument("--batch-key", default="batch")
    p.add_argument("--label-key", default="cell_type")
    p.add_argument("--drop-label", action="append", default=None, help="default: Mis, unknown")
    p.add_argument("--max-cells", type=int, default=5000, help="cells for the metrics; 0: all")
    p.add_argument("--max-epochs", type=int, help="cut training short (not for quoted figures)")
    p.add_argument("--only-pca", action="store_true", help="leave HZAU-VAE out")
    p.add_argument("--seed", type=int, default=0)
    add_output_options(p)
    return p


def benchmark(args: argparse.Namespace, command: Sequence[str], *, cls: Any = None) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    set_threads(args.threads)
    path = find_file(args.file)
    mdata = mudata.read_h5mu(path)
    check_keys(mdata, args)
    drop = args.drop_label if args.drop_label is not None else list(UNKNOWN)
    rows = scored_cells(mdata.obs[args.label_key], drop, args.max_cells, args.seed)
    found, methods = embeddings(mdata, args, cls=cls)
    found = {name: x[rows] for name, x in found.items()}
    obs = mdata.obs.iloc[rows][[args.label_key, args.batch_key]].astype(str)
    table = metric_table(
        found, obs[args.label_key].to_numpy(), obs[args.batch_key].to_numpy(), seed=args.seed
    )
    record = {
        "benchmark": "integration",
        "file": path.name,
        "n_cells": mdata.n_obs,
        "n_scored": len(rows),
        "dropped_labels": drop,
        "seed": args.seed,
        **environment(command=command, threads=args.threads),
        "methods": methods,
    }
    print(f"{path.name}: {mdata.n_obs} cells, metrics on {len(rows)} with a known label\n")
    wide = table.pivot_table(
        index=["kind", "metric"], columns="embedding", values="value", sort=False
    )
    print(markdown(wide.reset_index()))
    name = run_name("integration", path.stem, f"seed{args.seed}")
    picture = umap_picture(found, obs, path=args.out / f"{name}.png", seed=args.seed)
    return [*write_run(args.out, name, {"": table}, record), picture]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where the file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
