"""How busy training keeps the GPU: kernel time over wall time, launches per step, memory."""

import time
from collections.abc import Iterator
from typing import Any, override

import torch
from lightning.pytorch import Callback
from torch._C._autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import forget_peak, peak_gpu_gb, trained, wait_for_device

PROFILED = 2
"""Epochs under the profiler: the last ones, when what happens only at first is over."""
LAUNCHES = ("LaunchKernel", "GraphLaunch", "Memcpy", "Memset")


class Watched(Callback):  # type: ignore[misc]
    """Times the training part of epochs, under a profiler or without.

    Attributes
    ----------
    first
        The first epoch that is watched, counted from 0.
    profiler
        The profiler; None for none.
    seconds, steps
        What was watched.
    """

    def __init__(self, first: int, profiler: Any = None) -> None:
        self.first, self.profiler = first, profiler
        self.seconds, self.steps = 0.0, 0
        self._start = 0.0

    @override
    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch < self.first:
            return
        wait_for_device()
        if trainer.current_epoch == self.first and self.profiler is not None:
            self.profiler.start()
        self._start = time.perf_counter()

    @override
    def on_train_batch_end(self, trainer: Any, *_: Any) -> None:
        self.steps += trainer.current_epoch >= self.first

    @override
    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.current_epoch < self.first:
            return
        wait_for_device()
        self.seconds += time.perf_counter() - self._start
        if trainer.current_epoch == trainer.max_epochs - 1 and self.profiler is not None:
            self.profiler.stop()


def measure(setting: Setting) -> Iterator[Figure]:
    """Train twice: without the profiler for the wall time, which it lengthens, and with it."""
    n_epochs = setting.sizes.profiled_epochs
    forget_peak()
    wall = _watch(setting, Watched(n_epochs // 2))
    yield Figure(name="peak GPU memory of training", value=peak_gpu_gb(), unit="GiB")
    yield Figure(name="step", value=wall.seconds / wall.steps * 1e3, unit="ms")
    has_gpu = torch.cuda.is_available()
    # Kernels and the calls that launch them; to record the operators too would take a minute.
    kinds = [ProfilerActivity.CUDA if has_gpu else ProfilerActivity.CPU]
    profiler = profile(activities=kinds)
    watched = _watch(setting, Watched(max(n_epochs - PROFILED, 1), profiler))
    busy, n_kernels = _kernels(profiler)
    yield Figure(name="kernels", value=busy / watched.steps * 1e3, unit="ms/step")
    share = (busy / watched.steps) / (wall.seconds / wall.steps)
    yield Figure(name="kernel time over wall time", value=share)
    yield Figure(name="kernels run", value=n_kernels / watched.steps, unit="per step")
    rows = profiler.key_averages()
    for word in LAUNCHES:
        n = sum(row.count for row in rows if row.key.startswith(("cuda", "cu")) and word in row.key)
        yield Figure(name=f"calls of {word}", value=n / watched.steps, unit="per step")
    by = "self_device_time_total" if has_gpu else "self_cpu_time_total"
    print(rows.table(sort_by=by, row_limit=15, max_name_column_width=60))


def _watch(setting: Setting, watched: Watched) -> Watched:
    trained(
        setting.split().train, setting, setting.sizes.profiled_epochs, early_stopping=False,
        batch_size=setting.sizes.profiled_batch, callbacks=[watched],
    )  # fmt: skip
    return watched


def _kernels(profiler: Any) -> tuple[float, int]:
    """Return seconds and number of kernels and copies; marks that only group them do not count."""
    seconds, number = 0.0, 0
    for event in profiler.events():
        is_mark = getattr(event, "is_user_annotation", False) or "#" in event.name
        if event.device_type == DeviceType.CUDA and not is_mark:
            seconds += event.time_range.elapsed_us() / 1e6
            number += 1
    return seconds, number
