"""How busy a GPU is in training, and how much of its memory is taken."""

import time
from collections.abc import Callable

import torch


def gpu_figures(train: Callable[[], None]) -> dict[str, float]:
    """Train under a profiler: kernel time over wall time, and memory of the GPU in GiB.

    Without a GPU, nothing is trained, and nothing returned.
    """
    if not torch.cuda.is_available():
        return {}
    activities = [torch.profiler.ProfilerActivity.CUDA]
    start = time.perf_counter()
    with torch.profiler.profile(activities=activities) as profile:
        train()
        torch.cuda.synchronize()
    seconds = time.perf_counter() - start
    busy = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6
    return {
        "gpu_busy_share": busy / seconds,
        "gpu_memory_gb": torch.cuda.max_memory_allocated() / 1024**3,
    }
