"""A clock that can be stopped, for what a training is not to be charged with."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch


class Clock:
    """Seconds since it was made, less those in which it was stopped."""

    def __init__(self) -> None:
        _finish()
        self._start = time.perf_counter()
        self._stopped = 0.0

    def seconds(self) -> float:
        """Return the seconds until now; work that a GPU still has to do is waited for."""
        _finish()
        return time.perf_counter() - self._start - self._stopped

    @contextmanager
    def stopped(self) -> Iterator[float]:
        """Yield the seconds until now; what follows inside does not count."""
        now = self.seconds()
        begin = time.perf_counter()
        try:
            yield now
        finally:
            _finish()
            self._stopped += time.perf_counter() - begin


def _finish() -> None:
    """Wait for the GPU: kernels are queued, and would be charged to what comes after."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
