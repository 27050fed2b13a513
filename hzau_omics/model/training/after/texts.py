"""Calibration of the probabilities of texts."""

from typing import Any

from hzau_omics.model.answers.text import calibrate_texts
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.network import MultimodalVAE


def reset(network: MultimodalVAE) -> dict[str, Any]:
    """Reset temperatures to the default."""
    return {"text_temperature_": None}


def calibrate(trained: Trained) -> dict[str, Any]:
    """Choose the temperature of each text modality."""
    found = calibrate_texts(trained.network, trained.store, trained.validation, trained.seed)
    return {"text_temperature_": found}
