"""The machine: card, versions, and how fast the card is by itself."""

import os
import time
from collections.abc import Callable, Iterator

import torch

import hzau_omics
from benchmarks.common.report import environment
from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from hzau_omics.model.version import MODEL_VERSION


def measure(setting: Setting) -> Iterator[Figure]:
    """Give what a reader needs to compare two runs."""
    found = environment(command=(), threads=None)
    yield Figure(name="card", value=str(found["device"]))
    yield Figure(name="package", value=str(hzau_omics.__file__))
    yield Figure(name="version of the model", value=MODEL_VERSION)
    yield Figure(name="python", value=str(found["python"]))
    for package, version in found["versions"].items():
        yield Figure(name=package, value=str(version))
    yield Figure(name="processors", value=os.cpu_count() or 0)
    yield Figure(name="threads of torch", value=torch.get_num_threads())
    if setting.sizes.accelerator == "gpu":
        yield from _card()


def _card() -> Iterator[Figure]:
    free, total = torch.cuda.mem_get_info()
    yield Figure(name="memory of the card", value=total / 2**30, unit="GiB")
    yield Figure(name="free memory of the card", value=free / 2**30, unit="GiB")
    yield Figure(name="CUDA of torch", value=str(torch.version.cuda))
    few = torch.zeros(16, device="cuda")
    yield Figure(name="launch of a small kernel", value=_seconds(few.add_, 1) * 1e6, unit="us")
    wide = torch.randn(4096, 4096, device="cuda", dtype=torch.bfloat16)
    rate = 2 * 4096**3 / _seconds(torch.matmul, wide, wide, times=20) / 1e12
    yield Figure(name="bfloat16 products", value=rate, unit="TFLOP/s")
    many = torch.zeros(2**28, device="cuda")
    rate = 2 * 4 * 2**28 / _seconds(many.clone, times=10) / 1e9
    yield Figure(name="copies within the card", value=rate, unit="GB/s")


def _seconds(call: Callable[..., object], *arguments: object, times: int = 1000) -> float:
    """Time a call on the card, mean over several after one that is not counted."""
    call(*arguments)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(times):
        call(*arguments)
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / times
