"""Input of a calibration: a network that has just been trained, and its cells."""

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
    training, calibration
        Positions of the training cells, and of those that calibrations are fitted on.
    corruptor
        Corrupts measurements as training does.
    seed
        Seed of draws and subsamples.
    mixes
        Whether training mixed batches: if not, points are not freed of batches either.
    """

    network: MultimodalVAE
    store: CellStore
    training: NDArray[np.int64]
    calibration: NDArray[np.int64]
    corruptor: Corruptor
    seed: int
    mixes: bool = False
