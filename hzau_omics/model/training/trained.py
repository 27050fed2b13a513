"""Input of a calibration: a network that has just been trained, its cells and their split."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hzau_omics.data import CellStore
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.reliability.corruption import Corruptor


@dataclass(frozen=True)
class Trained:
    """A trained network, its cells, and a corruptor of measurements.

    Attributes
    ----------
    network
        The network, with the weights that are kept.
    store
        The cells.
    training
        Positions of the training cells.
    validation
        Positions of the validation cells.
    corruptor
        Corrupts measurements as training does.
    seed
        Seed of draws and subsamples.
    """

    network: MultimodalVAE
    store: CellStore
    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    corruptor: Corruptor
    seed: int
