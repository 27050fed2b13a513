"""Questions in words: cells found by texts that were seen in training, and by others.

``python -m benchmarks.text`` describes half of the training cells by names and definitions of the
Cell Ontology, trains HZAU-VAE on RNA and text, and asks for cells that have no text: in the same
words, in other names, in what the cells do; with types that were never described; with a fifth of
the texts wrong. Texts dealt at random and one-hot labels are trained in the same way, and k-nearest
neighbours with the same texts are the baseline. Each trained model leaves a file, so that a run
that was interrupted goes on where it stopped. ``--quick`` is a trial.
"""

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.common.command import run_command
from benchmarks.common.report import environment, markdown, run_name, set_threads, write_run
from benchmarks.common.resume import result_of
from benchmarks.text.data import READERS, read_task
from benchmarks.text.figures import draw_queries
from benchmarks.text.run import ENCODERS, Part, run

QUICK = {"epochs": 2, "n_cells": 600}
ZERO_SHOT = ("sentences", "terms")
"""Encoders that know something of texts that they have not seen, and of no others' cells."""


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.text", description=__doc__)
    p.add_argument("--dataset", action="append", choices=READERS, help="may be repeated (pbmc10k)")
    p.add_argument("--encoder", action="append", choices=ENCODERS, help="may be repeated (all)")
    p.add_argument("--epochs", type=int, default=0, help="0 for as many as train() takes")
    p.add_argument("--seeds", type=int, default=1, help="number of seeds")
    p.add_argument("--cells", type=int, default=100_000, help="most cells")
    p.add_argument("--annotated", type=float, default=0.5, help="share of training cells with text")
    p.add_argument("--no-zero-shot", action="store_true", help="describe all types")
    p.add_argument("--no-controls", action="store_true", help="no shuffled, wrong and one-hot")
    p.add_argument("--quick", action="store_true", help="2 epochs of 600 cells, to try it")
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--parts", type=Path, default=Path("benchmarks/out/text"))
    p.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="for CSV and JSON")
    return p


def parts_of(args: argparse.Namespace) -> list[Part]:
    """Give the models to train."""
    sizes: dict[str, Any] = (
        QUICK if args.quick else {"epochs": args.epochs, "n_cells": args.cells}
    ) | {"annotated": args.annotated}
    parts = []
    for dataset in args.dataset or ["pbmc10k"]:
        rounds = range(len(read_task(dataset, sizes["n_cells"]).held_out))
        for seed in range(args.seeds):
            each = {"dataset": dataset, "seed": seed, **sizes}
            encoders = args.encoder or list(ENCODERS)
            parts += [Part(encoder=encoder, **each) for encoder in encoders]
            if not args.no_controls:
                parts += [
                    Part(encoder=encoder, variant=variant, **each)
                    for encoder in encoders[:1]
                    for variant in ("shuffled", "labels", "wrong")
                ]
            if not args.no_zero_shot:
                parts += [
                    Part(encoder=encoder, round=number, **each)
                    for encoder in encoders
                    if encoder in ZERO_SHOT
                    for number in rounds
                ]
    return parts


def queries_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return how well queries find their cells; mean over wordings and types, and the worst type.

    Of rounds of held-out types only these types count.
    """
    rows = [
        {key: r[key] for key in ("dataset", "encoder", "variant", "seed")} | row
        for r in results
        for row in r["queries"]
        if row["held_out"] or r["round"] < 0
    ]
    keys = ["dataset", "encoder", "variant", "method", "kind", "held_out"]
    figures = ["auroc", *(f"hit@{k}" for k in (1, 5, 10)), *(f"precision@{k}" for k in (1, 5, 10))]
    # Types count alike, however many wordings they have.
    types = pd.DataFrame(rows).groupby([*keys, "type"], sort=False)[figures].mean()
    groups = types.groupby(keys, sort=False)
    table = groups.mean().assign(types=groups.size(), worst_auroc=groups["auroc"].min())
    return table.reset_index()


def types_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return the mean AUROC of each type's wordings, by kind of wording."""
    rows = [
        {key: r[key] for key in ("dataset", "encoder", "variant", "seed", "round")} | row
        for r in results
        for row in r["queries"]
        if row["held_out"] or r["round"] < 0
    ]
    keys = ["dataset", "encoder", "variant", "method", "held_out", "type", "kind"]
    return (
        pd.DataFrame(rows).groupby(keys, sort=False)["auroc"].mean().unstack("kind").reset_index()
    )


def annotation_table(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Return how well texts annotate cells; of held-out types the mean of their rounds."""
    rows = [
        {key: r[key] for key in ("dataset", "encoder", "variant")} | row
        for r in results
        for row in r.get("annotation", [])
        if (row["types"] != "all") == (r["round"] >= 0)
    ]
    keys = ["dataset", "encoder", "variant", "method", "kind", "types"]
    return pd.DataFrame(rows).groupby(keys, sort=False).mean().reset_index()


def figures_table(results: Sequence[dict[str, Any]], key: str) -> pd.DataFrame:
    """Return the figures of a test that gives one row for each model, mean over seeds."""
    keys = ["dataset", "encoder", "variant"]
    rows = [{k: r[k] for k in keys} | r[key] for r in results if key in r]
    return pd.DataFrame(rows).groupby(keys, sort=False).mean().reset_index() if rows else EMPTY


EMPTY = pd.DataFrame()


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the tables, and give the files written."""
    for noisy in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    set_threads(args.threads)
    results = [result_of(part, args.parts, run) for part in parts_of(args)]
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
