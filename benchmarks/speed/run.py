"""One timed training in a process of its own: ``python -m benchmarks.speed.run '{...}'``."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, override

import numpy as np
import torch
from lightning.pytorch import Callback

from benchmarks.common.process import answer, in_process
from benchmarks.common.report import peak_memory_gb, set_threads
from hzau_omics.errors import ConfigError

OURS = ("hzau-vae", "hzau-vae-float32")

type Train = Callable[[int], list[dict[str, float]]]
"""Trains for some epochs; returns the held-out curve where the method gives one."""


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
        Of the timed call of ``train``, which follows one of a single epoch.
    accelerator
        As in Lightning.
    threads
        Threads of torch and BLAS; None leaves them alone.
    """

    method: str
    path: str
    batch_size: int
    epochs: int
    accelerator: str = "auto"
    threads: int | None = None


def ours(mdata: Any, run: SpeedRun, precision: Literal["auto", "32-true"]) -> tuple[Any, Train]:
    """Build HZAU-VAE, and what trains it for some epochs."""
    from hzau_omics.data import ModalitySpec
    from hzau_omics.model import HZAUVAE

    peaks = ModalitySpec(likelihood="bernoulli", binarize=True)
    HZAUVAE.setup_mudata(mdata, {m: peaks if m == "atac" else "nb" for m in mdata.mod})
    model = HZAUVAE(mdata)

    def train(epochs: int) -> list[dict[str, float]]:
        curve = HeldOutCurve()
        model.train(epochs, **_common(run), seed=0, precision=precision, callbacks=[curve])
        return curve.points

    return model, train


def totalvi(mdata: Any, run: SpeedRun) -> tuple[Any, Train]:
    """Build totalVI on RNA and the other modality."""
    import scvi

    protein = next(m for m in mdata.mod if m != "rna")
    mdata[protein].X = np.asarray(mdata[protein].X.toarray())  # it refuses sparse protein
    layers = {"rna_layer": "rna", "protein_layer": protein}
    scvi.model.TOTALVI.setup_mudata(mdata, modalities=layers)
    return _peer(scvi.model.TOTALVI(mdata), run)


def multivi(mdata: Any, run: SpeedRun) -> tuple[Any, Train]:
    """Build MultiVI on RNA and ATAC."""
    import scvi

    scvi.model.MULTIVI.setup_mudata(mdata, modalities={"rna_layer": "rna", "atac_layer": "atac"})
    return _peer(
        scvi.model.MULTIVI(mdata, n_genes=mdata["rna"].n_vars, n_regions=mdata["atac"].n_vars), run
    )


class HeldOutCurve(Callback):  # type: ignore[misc]
    """Seconds since the beginning, and negative log likelihoods of validation cells, per epoch."""

    def __init__(self) -> None:
        self.points: list[dict[str, float]] = []
        self._start = time.perf_counter()

    @override
    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.sanity_checking:
            return
        found = {
            name.removeprefix("nll_").removesuffix("_validation"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("nll_") and name.endswith("_validation")
        }
        self.points.append({"seconds": time.perf_counter() - self._start, **found})


def _peer(model: Any, run: SpeedRun) -> tuple[Any, Train]:
    def train(epochs: int) -> list[dict[str, float]]:
        # Its default validates only at the end; ours does after every epoch.
        model.train(epochs, **_common(run), check_val_every_n_epoch=1)
        return []

    return model, train


def _common(run: SpeedRun) -> dict[str, Any]:
    return {
        "batch_size": run.batch_size,
        "accelerator": run.accelerator,
        "early_stopping": False,
        "enable_progress_bar": False,
    }


BUILDERS: dict[str, Callable[..., tuple[Any, Train]]] = {
    "hzau-vae": lambda mdata, run: ours(mdata, run, "auto"),
    "hzau-vae-float32": lambda mdata, run: ours(mdata, run, "32-true"),
    "totalvi": totalvi,
    "multivi": multivi,
}


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


def held_out_nll(model: Any, method: str) -> dict[str, float]:
    """Negative log likelihood of validation cells given what they have, in nats per cell."""
    found = model.get_reconstruction_error(indices=model.validation_indices)
    if method.startswith("hzau"):
        return dict(found)
    return {
        # scvi-tools names the parts "reconst_loss_<part>" or "reconstruction_loss_<part>".
        str(name).rpartition("_")[2]: float(np.mean(np.asarray(values, dtype=float)))
        for name, values in (found.items() if isinstance(found, dict) else {"_all": found}.items())
    }


def gpu_figures(train: Callable[[int], Any]) -> dict[str, float]:
    """Train one more epoch under a profiler: kernel time over wall time, and memory of the GPU."""
    if not torch.cuda.is_available():
        return {}
    activities = [torch.profiler.ProfilerActivity.CUDA]
    start = time.perf_counter()
    with torch.profiler.profile(activities=activities) as profile:
        train(1)
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    busy = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6
    return {
        "gpu_busy_share": busy / seconds,
        "gpu_memory_gb": torch.cuda.max_memory_allocated() / 1024**3,
    }


def measure(run: SpeedRun) -> dict[str, Any]:
    """Train for one epoch, then for the timed ones; give the figures."""
    import mudata

    set_threads(run.threads)
    mdata = mudata.read_h5mu(run.path)
    model, train = BUILDERS[run.method](mdata, run)
    train(1)
    start = time.perf_counter()
    curve = train(run.epochs)
    seconds = time.perf_counter() - start
    return {
        "method": run.method,
        "batch_size": run.batch_size,
        "epochs": run.epochs,
        "n_cells": mdata.n_obs,
        "seconds": seconds,
        "cells_per_s": mdata.n_obs * run.epochs / seconds,
        "peak_memory_gb": peak_memory_gb(),
        "held_out_nll": held_out_nll(model, run.method),
        "curve": curve,
        **gpu_figures(train),
    }


if __name__ == "__main__":
    answer(SpeedRun, measure)
