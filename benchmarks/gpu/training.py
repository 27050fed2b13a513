"""A model of ours, trained and timed."""

import time
from typing import Any, override

import torch
from lightning.pytorch import Callback
from mudata import MuData

from benchmarks.gpu.setting import Setting
from hzau_omics.model import HZAUVAE


def trained(
    mdata: MuData, setting: Setting, epochs: int | None, **options: Any
) -> tuple[HZAUVAE, float]:
    """Train HZAU-VAE on counts, and binary text where there is some; give it and the seconds.

    `mdata` is registered; `options` are those of `train()`, and the seed is 0.
    """
    likelihoods = {name: "bernoulli" if name == "text" else "nb" for name in mdata.mod}
    HZAUVAE.setup_mudata(mdata, likelihoods)
    model = HZAUVAE(mdata)
    start = time.perf_counter()
    model.train(
        epochs, accelerator=setting.sizes.accelerator, seed=0, enable_progress_bar=False, **options
    )
    wait_for_device()
    return model, time.perf_counter() - start


class EpochEnds(Callback):  # type: ignore[misc]
    """Seconds since the beginning at the end of each epoch."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._start = time.perf_counter()

    @override
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        wait_for_device()
        self.seconds.append(time.perf_counter() - self._start)

    def per_epoch(self) -> float:
        """Return the mean seconds of an epoch, without the first, which sets things up."""
        return (self.seconds[-1] - self.seconds[0]) / (len(self.seconds) - 1)


def wait_for_device() -> None:
    """Wait until the GPU has done what was asked."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def forget_peak() -> None:
    """Begin to measure the peak memory of the GPU anew."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def peak_gpu_gb() -> float:
    """Return the peak memory of tensors on the GPU in GiB; 0 without a GPU."""
    return torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
