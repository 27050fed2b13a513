"""Calibrations that follow training.

A calibration is a module with two functions, listed in :data:`CALIBRATIONS`. Training goes through
the list, and knows none of them by name.
"""

from typing import Any, Protocol

from hzau_omics.model.training.after import (
    intervals,
    neighbours,
    reference,
    reliability,
    shared,
    texts,
)
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.network import MultimodalVAE


class Calibration(Protocol):
    """Functions of a calibration; both return the attributes of the model that they set."""

    def reset(self, network: MultimodalVAE) -> dict[str, Any]:
        """Undo the calibration: it belongs to the previous weights."""

    def calibrate(self, trained: Trained) -> dict[str, Any]:
        """Calibrate a trained network."""


CALIBRATIONS: tuple[Calibration, ...] = (
    shared,
    intervals,
    neighbours,
    reliability,
    texts,
    reference,
)
