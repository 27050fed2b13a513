"""Questions in words: cells found by texts that were seen in training, and by others.

``python -m benchmarks.text`` describes half of the training cells by names and definitions of the
Cell Ontology, trains HZAU-VAE on RNA and text, and asks for cells that have no text: in the same
words, in other names, in what the cells do; with types that were never described; with a fifth of
the texts wrong. Texts dealt at random and one-hot labels are trained in the same way, and k-nearest
neighbours with the same texts are the baseline. Each trained model leaves a file, so that a run
that was interrupted goes on where it stopped. ``--quick`` is a trial.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.common.command import add_resume_options, run_command, silence_lightning
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.resume import results_of
from benchmarks.text.data import READERS
from benchmarks.text.figures import draw_queries
from benchmarks.text.run import ENCODERS, TextRun, measure
from benchmarks.text.tables import annotation_table, figures_table, queries_table, types_table

QUICK = {"epochs": 2, "n_cells": 600}
ZERO_SHOT = ("sentences", "terms")
"""Encoders that know something of texts that they have not seen, and of no others' cells."""


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.text", description=__doc__)
    p.add_argument("--dataset", action="append", choices=READERS, help="may be repeated (pbmc10k)")
    p.add_argument("--encoder", action="append", choices=ENCODERS, help="may be repeated (all)")
    p.add_argument("--epochs", type=int, default=0, help="0 for as many as train() takes")
    p.add_argument("--cells", type=int, default=100_000, help="most cells")
    p.add_argument("--annotated", type=float, default=0.5, help="share of training cells with text")
    p.add_argument("--no-zero-shot", action="store_true", help="describe all types")
    p.add_argument("--no-controls", action="store_true", help="no shuffled, wrong and one-hot")
    add_resume_options(p, "text")
    return p


def runs_of(args: argparse.Namespace) -> list[TextRun]:
    """Give the models to train."""
    sizes: dict[str, Any] = (
        QUICK if args.quick else {"epochs": args.epochs, "n_cells": args.cells}
    ) | {"annotated": args.annotated}
    runs = []
    for dataset in args.dataset or ["pbmc10k"]:
        rounds = range(len(READERS[dataset](sizes["n_cells"]).held_out))
        for seed in range(args.seeds):
            each = {"dataset": dataset, "seed": seed, **sizes}
            encoders = args.encoder or list(ENCODERS)
            runs += [TextRun(encoder=encoder, **each) for encoder in encoders]
            if not args.no_controls:
                runs += [
                    TextRun(encoder=encoder, variant=variant, **each)
                    for encoder in encoders[:1]
                    for variant in ("shuffled", "labels", "wrong")
                ]
            if not args.no_zero_shot:
                runs += [
                    TextRun(encoder=encoder, round=number, **each)
                    for encoder in encoders
                    if encoder in ZERO_SHOT
                    for number in rounds
                ]
    return runs


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    silence_lightning()
    set_threads(args.threads)
    results = results_of(runs_of(args), args.parts, measure)
    tables = {
        "": queries_table(results),
        "types": types_table(results),
        "annotation": annotation_table(results),
        "wrong": figures_table(results, "wrong"),
        "wrong_trained": figures_table(results, "wrong_trained"),
        "round_trip": figures_table(results, "round_trip"),
    }
    tables = {name: table for name, table in tables.items() if len(table)}
    for table in tables.values():
        print(markdown(table), end="\n\n")
    record = {
        "benchmark": "text",
        **environment(command=command, threads=args.threads),
        "runs": results,
    }
    name = run_name("text", *(args.dataset or ["pbmc10k"]))
    picture = draw_queries(tables[""], (args.out / name).with_suffix(".png"))
    return [*write_run(args.out, name, tables, record), *picture]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
