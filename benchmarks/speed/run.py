"""One timed training in a process of its own: ``python -m benchmarks.speed.run '{...}'``."""

import gc
from dataclasses import dataclass
from typing import Any

from benchmarks.common.process import answer, in_process
from benchmarks.common.report import peak_memory_gb, set_threads
from benchmarks.speed.cells import hold_out
from benchmarks.speed.clock import Clock
from benchmarks.speed.curve import HeldOutCurve
from benchmarks.speed.gpu import gpu_figures
from benchmarks.speed.methods import METHODS


@dataclass(frozen=True, kw_only=True)
class SpeedRun:
    """What is trained, and for how long.

    Attributes
    ----------
    method
        ``hzau-vae``, ``hzau-vae-float32``, ``totalvi`` or ``multivi``.
    path
        The h5mu file.
    batch_size, epochs
        Of the timed call of ``train``.
    seed
        Seed of the training; runs of the same seed are compared.
    evaluate_every
        Optimiser steps between two measurements of the held-out likelihood, whose time does not
        count; 0 for none in the course of training.
    accelerator
        As in Lightning.
    threads
        Threads of torch and BLAS; None leaves them alone.
    """

    method: str
    path: str
    batch_size: int
    epochs: int
    seed: int = 0
    evaluate_every: int = 20
    accelerator: str = "auto"
    threads: int | None = None


def run_once(run: SpeedRun) -> dict[str, Any]:
    """Run in a process of its own.

    Raises
    ------
    RuntimeError
        If the process fails.
    """
    what = f"{run.method}, batch size {run.batch_size}"
    return in_process("benchmarks.speed.run", run, what)


def measure(run: SpeedRun) -> dict[str, Any]:
    """Train a model for one epoch and throw it away, then time a new one; give the figures.

    What is compiled, and caches that fill, are there after the first model. The clock runs from the
    call of ``train`` to its return, and stands while held-out cells are scored.
    """
    import mudata

    set_threads(run.threads)
    cells, held_out = hold_out(mudata.read_h5mu(run.path))
    options: dict[str, Any] = {
        "batch_size": run.batch_size,
        "accelerator": run.accelerator,
        "early_stopping": False,
    }
    METHODS[run.method](cells, run.seed).train(1, **options)
    gc.collect()
    method = METHODS[run.method](cells, run.seed)
    score = method.scorer(held_out)
    clock = Clock()
    curve = HeldOutCurve(method, score, run.evaluate_every, clock)
    method.train(run.epochs, callbacks=[curve] if run.evaluate_every else [], **options)
    seconds = clock.seconds()
    return {
        "method": run.method,
        "batch_size": run.batch_size,
        "seed": run.seed,
        "epochs": run.epochs,
        "n_cells": cells.n_obs,
        "n_held_out": held_out.n_obs,
        "seconds": seconds,
        "cells_per_s": cells.n_obs * run.epochs / seconds,
        "peak_memory_gb": peak_memory_gb(),
        "held_out_nll": curve.finish(seconds),
        "curve": curve.points,
        **gpu_figures(lambda: method.train(1, **options)),
    }


if __name__ == "__main__":
    answer(SpeedRun, measure)
