"""``train()`` without any option, as a user starts it: its time, and what it has come to.

Both systems are trained on four fifths of the cells. The likelihood of the others is that of a
model that never saw them. The imputation is trained anew by :mod:`benchmarks.imputation`, because
totalVI imputes only for cells whose RNA it was trained on.
"""

from dataclasses import dataclass
from typing import Any

from benchmarks.common.data import Split, make_split
from benchmarks.common.process import answer, in_process
from benchmarks.common.report import peak_memory_gb, set_threads
from benchmarks.imputation.methods import RunOptions
from benchmarks.imputation.run import run_method
from benchmarks.speed.clock import Clock
from benchmarks.speed.methods import METHODS
from hzau_omics.errors import ConfigError

DEFAULT_RUNS = ("hzau-vae", "totalvi")


@dataclass(frozen=True, kw_only=True)
class DefaultRun:
    """What is trained.

    Attributes
    ----------
    method
        ``hzau-vae`` or ``totalvi``.
    path
        The h5mu file.
    max_epochs
        Epochs at most; None for the method's default.
    seed
        Seed of the training; the cells held out are always the same.
    accelerator
        As in Lightning.
    threads
        Threads of torch and BLAS; None leaves them alone.
    """

    method: str
    path: str
    max_epochs: int | None = None
    seed: int = 0
    accelerator: str = "auto"
    threads: int | None = None


def choose_default_runs(methods: tuple[str, ...]) -> tuple[str, ...]:
    """Return the methods that are also run by default, of those that were chosen.

    Raises
    ------
    ConfigError
        If MultiVI is among them, whose imputation is not part of the imputation benchmark.
    """
    if "multivi" in methods:
        message = (
            "--default-run measures totalVI, which needs RNA and protein. Received multivi. Leave "
            "--default-run out, or set --against none."
        )
        raise ConfigError(message)
    return tuple(method for method in DEFAULT_RUNS if method in methods)


def run_default(run: DefaultRun) -> dict[str, Any]:
    """Run in a process of its own.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    return in_process("benchmarks.speed.default_run", run, f"{run.method}, default run")


def measure(run: DefaultRun) -> dict[str, Any]:
    """Time ``train()`` in a process that has not trained before; score the cells held out."""
    import mudata

    set_threads(run.threads)
    split = make_split(mudata.read_h5mu(run.path))
    method = METHODS[run.method](split.train.copy(), run.seed)
    clock = Clock()
    method.train(run.max_epochs, accelerator=run.accelerator)
    seconds = clock.seconds()
    return {
        "method": run.method,
        "seed": run.seed,
        "n_cells": split.train.n_obs,
        "n_held_out": split.test.n_obs,
        "epochs": method.epochs(),
        "seconds": seconds,
        "peak_memory_gb": peak_memory_gb(),
        "held_out_nll": method.scorer(split.test.copy())(),
        **imputed(run, split),
    }


def imputed(run: DefaultRun, split: Split) -> dict[str, float]:
    """Return the Pearson correlation of imputed and measured log1p counts, and its seconds.

    It is the mean over features, the better one where a method has two ways of imputing.
    """
    options = RunOptions(
        max_epochs=run.max_epochs, totalvi_epochs=None, accelerator=run.accelerator
    )
    rows, _, _ = run_method(run.method, split, [run.seed], options)
    return {
        "imputation_pearson": float(max(row["pearson"] for row in rows)),
        "imputation_seconds": float(rows[0]["seconds"]),
    }


if __name__ == "__main__":
    answer(DefaultRun, measure)
