"""Calibration of the probabilities of texts on calibration cells."""

from typing import Any

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.answers.draws import PredictiveConfig
from hzau_omics.model.answers.text.expected import expected_text
from hzau_omics.model.answers.text.modality import TextModality, find_text_modality
from hzau_omics.model.answers.text.probabilities import DEFAULT_TEMPERATURE
from hzau_omics.model.session import InferenceSession
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.network import MultimodalVAE

MAX_CELLS, MIN_CELLS, N_SAMPLES = 500, 20, 5
TEMPERATURES = (1e-3, 2.0)


def reset(network: MultimodalVAE) -> dict[str, Any]:
    """Reset the temperatures to the default."""
    return {"text_temperature_": None}


def calibrate(trained: Trained) -> dict[str, Any]:
    """Choose the temperature of the probabilities of texts (docs/method.md, equation 34).

    Among calibration cells with text and another modality, the temperature maximises the
    probability of each cell's own text among the texts of all these cells, given its other
    modalities.

    Returns
    -------
    ``text_temperature_``: modality name -> temperature, 0.1 if there are fewer than 20 such cells
    or two distinct texts. Modalities whose encoder cannot be rebuilt are left out.
    """
    network, store, cells = trained.network, trained.store, trained.calibration
    temperatures = {}
    for m, registered in enumerate(store.layout.modalities):
        if registered.text is None or m not in network.config.generated:
            continue
        try:
            text = find_text_modality(store.layout, registered.name)
        except (ConfigError, DataContractError):
            continue
        usable = cells[store.present[cells, m] & (store.present[cells].sum(axis=1) > 1)]
        usable = np.sort(np.random.default_rng(trained.seed).permutation(usable)[:MAX_CELLS])
        session = InferenceSession(network, store, usable, batch_size=MAX_CELLS)
        temperatures[text.name] = _temperature(session, text, trained.seed)
    return {"text_temperature_": temperatures}


def _temperature(session: InferenceSession, text: TextModality, seed: int) -> float:
    if len(session) < MIN_CELLS:
        return DEFAULT_TEMPERATURE
    given = tuple(name for name in session.layout.names if name != text.name)
    config = PredictiveConfig(modality=text.name, given=given, n_samples=N_SAMPLES, seed=seed)
    try:
        expected = expected_text(session, config, text)
    except ConfigError:
        # Some systems have no posterior given all other modalities together.
        return DEFAULT_TEMPERATURE
    own = np.zeros_like(expected)
    for rows, batch in session.minibatches():
        own[np.ix_(rows, text.columns)] = batch.x[text.name].cpu().numpy()
    distinct, row = np.unique(own, axis=0, return_inverse=True)
    if len(distinct) < 2:
        return DEFAULT_TEMPERATURE
    similarity = text.encoder.similarity(expected, distinct)
    which = np.arange(len(own)), row.ravel()

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(similarity / np.exp(log_temperature), axis=1)[which].mean())

    bounds = tuple(np.log(TEMPERATURES))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
