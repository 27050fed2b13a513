"""Table 1 of Wu and Goodman (2018): how much importance weights vary, system by system.

``python -m benchmarks.table1 --dataset binarymnist --epochs 500`` trains every system on images and
their labels with the paper's set-up (two layers of 512 units, 64 latents, Adam at 1e-3, batches of
100, the KL weight rising over 40 % of the run, the label's likelihood times 50) and prints the
variance of log importance weights beside the paper's. Each trained system leaves a file, so that a
run that was interrupted goes on where it stopped. ``--quick`` is a trial.
"""

import argparse
import json
import logging
import sys
import time
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._command import run_command
from benchmarks._data import find_file
from benchmarks._report import environment, markdown, run_name, set_threads, write_run
from benchmarks._table1_paper import DATASETS, printed

_logger = logging.getLogger("benchmarks")

FILES = {
    "binarymnist": ("mnist_full.npz", "sampled"),
    "mnist": ("mnist_full.npz", "grey"),
    "fashionmnist": ("fashion_mnist_full.npz", "grey"),
}
SYSTEMS = (
    "VAE", "CVAE", "BiVCCA", "JMVAE", "MVAEQ", "MVAE",
    "HZAUVAE", "HZAUVAE-uniform", "HZAUVAE-global",
)  # fmt: skip
TARGETS = ("marginal", "joint", "conditional")
LABEL_WEIGHT = 50.0


@dataclass(frozen=True, kw_only=True)
class Part:
    """One system on one data set.

    Attributes
    ----------
    dataset, system, seed
        What is trained.
    epochs, n_train
        How long, and on how many images.
    n_test, n_samples
        Test images, and draws for each.
    """

    dataset: str
    system: str
    seed: int
    epochs: int
    n_train: int
    n_test: int
    n_samples: int

    @property
    def name(self) -> str:
        """File name of the result, without suffix."""
        return "_".join(str(value) for value in asdict(self).values())


def read_images(dataset: str, n_train: int, n_test: int) -> tuple[Any, Any]:
    """Return training and test MuData."""
    from hzau_omics.data import image_mudata

    file, pixels = FILES[dataset]
    arrays = np.load(find_file(file))
    return tuple(
        image_mudata(
            arrays[f"x_{part}"][:n],
            arrays[f"y_{part}"][:n],
            pixels=pixels,
            n_classes=10,
            seed=seed,
        )
        for seed, (part, n) in enumerate((("train", n_train), ("test", n_test)))
    )


def build(system: str, mdata: Any) -> Any:
    """Build a system with the paper's sizes."""
    from hzau_omics import model as models

    name, _, pool = system.partition("-")
    modalities = {"image": "bernoulli", "label": "categorical"}
    if name == "VAE":
        modalities.pop("label")
    weights = {m: LABEL_WEIGHT if m == "label" else 1.0 for m in modalities}
    cls = getattr(models, name)
    cls.setup_mudata(mdata, modalities)
    options = {"pool": pool} if pool else {}
    return cls(
        mdata, n_latent=64, n_hidden=512, n_layers=2, dropout=0.0, encoder_dropout=0.0,
        input_dropout=0.0, modality_weights=weights, **options,
    )  # fmt: skip


def run(part: Part) -> dict[str, Any]:
    """Train and evaluate; NaN for weights that the system does not have."""
    from hzau_omics.errors import ConfigError
    from hzau_omics.metrics import importance_bound, weight_variance

    train, test = read_images(part.dataset, part.n_train, part.n_test)
    model = build(part.system, train)
    start = time.perf_counter()
    model.train(
        part.epochs, batch_size=100, seed=part.seed, enable_progress_bar=False,
        early_stopping=False,
        plan_kwargs={"lr": 1e-3, "kl_weight": 1.0, "kl_warmup": 0.4},
    )  # fmt: skip
    found: dict[str, Any] = {**asdict(part), "train_s": time.perf_counter() - start}
    for target in TARGETS:
        try:
            weights = model.get_log_importance_weights(
                test, given="image", target=target, n_samples=part.n_samples, seed=0
            )
        except ConfigError as error:
            _logger.info("%s, %s: %s", part.system, target, error)
            continue
        found[f"{target}_variance"] = weight_variance(weights)
        found[f"{target}_bound"] = float(importance_bound(weights).mean())
    return found


def table_of(results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """Put results beside the paper's values; one row per target, data set and system."""
    rows = []
    for target in TARGETS:
        for dataset in DATASETS:
            for system in SYSTEMS:
                own = [
                    r for r in results
                    if (r["dataset"], r["system"]) == (dataset, system)
                    and f"{target}_variance" in r
                ]  # fmt: skip
                if not own:
                    continue
                values = [r[f"{target}_variance"] for r in own]
                rows.append(
                    {
                        "target": target,
                        "dataset": dataset,
                        "system": system,
                        "variance": float(np.mean(values)),
                        "sd": float(np.std(values, ddof=1)) if len(values) > 1 else np.nan,
                        "paper": printed(target, dataset, system),
                        "bound": float(np.mean([r[f"{target}_bound"] for r in own])),
                        "epochs": own[0]["epochs"],
                        "seeds": len(own),
                    }
                )
    return pd.DataFrame(rows)


def parser() -> argparse.ArgumentParser:
    """Build the command line."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.table1", description=__doc__)
    p.add_argument("--dataset", action="append", choices=DATASETS, help="may be repeated (all)")
    p.add_argument("--system", action="append", choices=SYSTEMS, help="may be repeated (all)")
    p.add_argument("--epochs", type=int, default=500)
    p.add_argument("--seeds", type=int, default=1, help="number of seeds")
    p.add_argument("--train-images", type=int, default=60_000)
    p.add_argument("--test-images", type=int, default=1_000)
    p.add_argument("--samples", type=int, default=1_000, help="draws per image")
    p.add_argument("--quick", action="store_true", help="2 epochs of 500 images, to try it")
    p.add_argument("--threads", type=int, help="threads of torch and BLAS")
    p.add_argument("--parts", type=Path, default=Path("benchmarks/out/table1"), help="for resuming")
    p.add_argument("--out", type=Path, default=Path("benchmarks/out"), help="for CSV and JSON")
    return p


def parts_of(args: argparse.Namespace) -> list[Part]:
    """Give the systems to train."""
    quick = {"epochs": 2, "n_train": 500, "n_test": 20, "n_samples": 20}
    full = {
        "epochs": args.epochs,
        "n_train": args.train_images,
        "n_test": args.test_images,
        "n_samples": args.samples,
    }
    return [
        Part(dataset=dataset, system=system, seed=seed, **(quick if args.quick else full))
        for dataset in args.dataset or DATASETS
        for seed in range(args.seeds)
        for system in args.system or SYSTEMS
    ]


def benchmark(args: argparse.Namespace, command: Sequence[str]) -> list[Path]:
    """Do what the command line says, print the table, and give the files written."""
    for noisy in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    set_threads(args.threads)
    args.parts.mkdir(parents=True, exist_ok=True)
    results = []
    for part in parts_of(args):
        path = args.parts / f"{part.name}.json"
        if not path.is_file():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = run(part)
            path.write_text(json.dumps(found), encoding="utf-8")
            _logger.info("%s: %.0f s", part.name, found["train_s"])
        results.append(json.loads(path.read_text(encoding="utf-8")))
    table = table_of(results)
    print(markdown(table, digits=2))
    record = {
        "benchmark": "table1",
        **environment(command=command, threads=args.threads),
        "runs": results,
    }
    return write_run(args.out, run_name("table1"), {"": table}, record)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    return run_command(parser(), benchmark, argv)


if __name__ == "__main__":
    sys.exit(main())
