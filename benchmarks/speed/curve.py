"""The held-out likelihood in the course of a training, measured with the clock stopped."""

from typing import Any, override

from lightning.pytorch import Callback

from benchmarks.speed.clock import Clock
from benchmarks.speed.methods import Method, Score


class HeldOutCurve(Callback):  # type: ignore[misc]
    """Negative log likelihoods of held-out cells, in nats per cell, every few optimiser steps.

    Parameters
    ----------
    method
        What is trained.
    score
        What scores the held-out cells.
    every
        Optimiser steps between points.
    clock
        Started at the beginning of the training.
    """

    def __init__(self, method: Method, score: Score, every: int, clock: Clock) -> None:
        self.points: list[dict[str, float]] = []
        self._method, self._score, self._every, self._clock = method, score, every, clock
        self._steps = 0

    @override
    def on_train_batch_end(self, trainer: Any, pl_module: Any, *args: Any) -> None:
        # Counted here: with an adversary, totalVI's trainer counts two for each minibatch.
        self._steps += 1
        if self._steps % self._every:
            return
        with self._clock.stopped() as seconds, self._method.averaged(pl_module):
            self._note(seconds)

    def finish(self, seconds: float) -> dict[str, float]:
        """Note the finished model as the last point, and return its likelihoods."""
        self._note(seconds)
        return {k: v for k, v in self.points[-1].items() if k not in {"step", "seconds"}}

    def _note(self, seconds: float) -> None:
        self.points.append({"step": self._steps, "seconds": seconds, **self._score()})
