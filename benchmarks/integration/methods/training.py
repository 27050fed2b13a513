"""What the methods that Lightning trains share: a time limit, and silence."""

import logging
from datetime import timedelta
from typing import Any

SHARE_OF_LIMIT = 0.9
"""Share of the time limit that training may take; the rest is for embedding the cells."""


def time_limit(seconds: float) -> timedelta:
    """Return what Lightning takes as ``max_time``."""
    return timedelta(seconds=SHARE_OF_LIMIT * seconds)


def cut_short(trainer: Any, seconds: float) -> bool:
    """Return whether a trainer stopped because its time was up."""
    from lightning.pytorch.callbacks import Timer

    timers = [one for one in trainer.callbacks if isinstance(one, Timer)]
    return any(t.time_elapsed("train") >= SHARE_OF_LIMIT * seconds for t in timers)


def quiet() -> None:
    """Hide what Lightning says of every training."""
    import lightning.pytorch  # noqa: F401

    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)
