"""What the model expects the text of each cell to be."""

from typing import Any

import numpy as np

from hzau_omics.model.answers.decoding import ModalityPredictor
from hzau_omics.model.answers.imputation import PredictiveConfig, walk
from hzau_omics.model.answers.session import InferenceSession, evaluating, make_generator
from hzau_omics.model.answers.text.modality import TextModality
from hzau_omics.text.encoder import Vectors


def expected_text(
    session: InferenceSession, config: PredictiveConfig, text: TextModality
) -> Vectors:
    """Return the expected text vector of each cell (cell, feature of the encoder)."""
    own = expected_values(session, config)
    values = np.zeros((len(own), len(text.encoder.features)), np.float32)
    values[:, text.columns] = own
    if text.encoder.likelihood == "multinomial":
        # Shares of the words, so that the length of a cell's own text has no effect.
        values /= values.sum(axis=1, keepdims=True)
    return values


def expected_values(session: InferenceSession, config: PredictiveConfig) -> Vectors:
    """Return a modality's posterior mean (cell, feature), in closed form for each latent draw."""
    predictor = ModalityPredictor(session.network, session.layout, config.modality)
    likelihood = session.network.decoder(predictor.index).likelihood
    generator = make_generator(config.seed, session.device)
    result = np.zeros(
        (len(session), session.layout.modality(config.modality).n_features), np.float32
    )
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=session.batch_size):
            mean: Any = 0.0
            turns = step.group.turns(config.n_samples)
            for code in turns:
                parameters = predictor.parameters(
                    step.q.sample(generator),
                    step.batch,
                    decode_as=code,
                    seen=step.seen,
                    generator=generator,
                )
                mean = mean + likelihood.mean(parameters) / len(turns)
            columns = slice(None) if step.group.features is None else step.group.features
            result[step.rows[:, None], np.arange(result.shape[1])[columns]] = mean.cpu().numpy()[
                :, columns
            ]
    return result
