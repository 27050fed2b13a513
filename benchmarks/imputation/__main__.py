"""Held-out imputation of one modality from another, all methods on the same cells in the same run.

``python -m benchmarks.imputation citeseq_pbmc10k_totalvi.h5mu --against totalvi`` holds out a fifth
of the paired cells (seed 0), trains on the rest, predicts the target modality of the held-out cells
from the source, and scores the mean over features of the Pearson correlation of predicted and
measured log1p counts (higher is better).
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks.common.command import add_output_options, run_command
from benchmarks.common.data import find_file, make_split
from benchmarks.common.report import environment, run_name, set_threads, write_run
from benchmarks.imputation.methods import METHODS, RunOptions, choose_methods
from benchmarks.imputation.run import run_all
from benchmarks.imputation.tables import print_tables, with_versions
from hzau_omics.errors import ConfigError


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.imputation", description=__doc__)
    p.add_argument(
        "file", help="h5mu file: a path, a name in HZAU_OMICS_DATA, or a name in the registry"
    )
    p.add_argument("--source", help="modality to predict from (default: RNA)")
    p.add_argument("--target", help="modality to predict (default: the other of two)")
    p.add_argument("--group-key", default="cell_type", help="obs column for the group mean")
    p.add_argument("--split-seed", type=int, default=0, help="seed of the held-out cells")
    p.add_argument("--seeds", type=int, default=5, help="training seeds of HZAU-VAE: 0 .. N-1")
    p.add_argument("--against-seeds", type=int, default=1, help="the same of mlp and totalvi")
    p.add_argument(
        "--against", action="append", default=[], metavar="NAMES", help="also: mlp, totalvi"
    )
    p.add_argument("--only", action="append", default=[], help="only: " + ", ".join(METHODS))
    p.add_argument(
        "--likelihood", action="append", default=[], metavar="MOD=NAME", help="default: nb"
    )
    p.add_argument("--max-epochs", type=int, help="cut training short (not for quoted figures)")
    p.add_argument("--totalvi-epochs", type=int, default=100, help="0: totalVI's own default")
    p.add_argument("--totalvi-no-adversary", action="store_true", help="without its adversary")
    p.add_argument("--accelerator", default="auto", choices=["auto", "cpu", "gpu"])
    add_output_options(p)
    return p


def _names(values: Iterable[str]) -> list[str]:
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


def _likelihoods(values: Iterable[str]) -> dict[str, str]:
    pairs = [value.partition("=") for value in _names(values)]
    for modality, sign, name in pairs:
        if not (modality and sign and name):
            message = f"--likelihood takes MODALITY=NAME, for example rna=nb; it got {modality!r}."
            raise ConfigError(message)
    return {modality: name for modality, _, name in pairs}


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    import mudata

    methods = choose_methods(_names(args.against), _names(args.only))
    options = RunOptions(
        max_epochs=args.max_epochs,
        totalvi_epochs=args.totalvi_epochs or None,
        totalvi_adversarial=False if args.totalvi_no_adversary else None,
        accelerator=args.accelerator,
        likelihoods=_likelihoods(args.likelihood),
    )
    set_threads(args.threads)
    path = find_file(args.file)
    split = make_split(
        mudata.read_h5mu(path),
        source=args.source,
        target=args.target,
        seed=args.split_seed,
        group_key=args.group_key,
    )
    runs, features, records = run_all(
        split, methods, seeds=args.seeds, against_seeds=args.against_seeds, options=options
    )
    record = {
        "benchmark": "imputation",
        "file": path.name,
        "source": split.source,
        "target": split.target,
        "split_seed": args.split_seed,
        "n_train": split.train.n_obs,
        "n_test": split.test.n_obs,
        **environment(command=command, threads=args.threads),
        "methods": records,
    }
    print_tables(path.name, split, runs, features)
    name = run_name(
        "imputation", path.stem, f"{split.source}-to-{split.target}", f"split{args.split_seed}"
    )
    tables = {"": with_versions(runs, record), "features": features}
    return write_run(args.out, name, tables, record)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; exit code 2 where the file, a name or an option is wrong."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
