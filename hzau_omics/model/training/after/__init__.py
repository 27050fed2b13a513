"""Calibrations that follow training.

A calibration is a module with two functions, listed in this one. Training goes through the list,
and knows none of them by name.
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


_ALL: tuple[Calibration, ...] = (
    shared,
    intervals,
    neighbours,
    reliability,
    texts,
    reference,
)


def calibrations_of(network: MultimodalVAE) -> tuple[Calibration, ...]:
    """Return the calibrations that follow the training of a network.

    None where only added batches are trained: calibrations belong to the cells that the network was
    first trained on, and answers about these do not change.
    """
    return () if network.config.n_added else _ALL
