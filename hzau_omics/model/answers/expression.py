"""Normalised expression: the denoised values of a cell."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import POSITIVE, check_number
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.decoding import ModalityPredictor
from hzau_omics.model.answers.draws import PredictiveConfig, select_features, walk
from hzau_omics.model.answers.session import InferenceSession, evaluating, make_generator


class Expression(Answers):
    """Normalised expression."""

    def get_normalized_expression(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        transform_batch: str | Sequence[str] | None = None,
        library_size: float = 1.0,
        features: str | Sequence[str] | None = None,
        given: str | Sequence[str] | None = None,
        n_samples: int = 25,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Return denoised values: the decoder's mean, averaged over latent draws.

        Parameters
        ----------
        modality
            Modality to decode.
        transform_batch
            Batch or batches to decode as, each once: what would the cell look like in another
            batch? Several are averaged.
        library_size
            Total that counts are scaled to; 1 gives shares of the total. A modality without a
            library size (a panel of few features, by default) gives expected counts, and takes
            no other value.
        mdata, indices, features, given, n_samples, batch_size, seed
            As in :meth:`impute`.

        Returns
        -------
        Data frame (cells, features).

        Warnings
        --------
        Do not test these values for differences between groups of cells, with Wilcoxon's or any
        other test of single cells. Denoising takes away the noise that such a test weighs a
        difference against, and the values of cells depend on each other through the model: almost
        every gene becomes significant (in one data set 2,890 of 3,353). Test the measured counts,
        best with one pseudobulk per sample. The values are for pictures, scores and comparisons
        of effect sizes.
        """
        library_size = check_number("library_size", library_size, POSITIVE)
        self._check_library_size(modality, library_size)
        config = self._predictive(modality, given, n_samples, transform_batch, seed)
        chosen = select_features(self.layout, modality, features)
        session = self._session(mdata, indices, batch_size)
        return normalized_expression(session, config, library_size=library_size, features=chosen)

    def _check_library_size(self, modality: str, library_size: float) -> None:
        layout = self.layout.modality(modality)
        decoder = self.module.decoder(self.layout.names.index(modality))
        if library_size != 1.0 and not decoder.likelihood.uses_library:
            msg = (
                f"Modality {modality!r} ({layout.spec.likelihood}) has no library size to scale "
                f"to. Received library_size={library_size}: leave it out, or set the modality up "
                "with ModalitySpec(..., library='observed')."
            )
            raise ConfigError(msg)


def normalized_expression(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    library_size: float,
    features: NDArray[np.int64],
) -> pd.DataFrame:
    """Return the mean of the decoder over latent draws, at a common library size."""
    layout = session.layout
    predictor = ModalityPredictor(session.network, layout, config.modality)
    likelihood = session.network.decoder(predictor.index).likelihood
    names = pd.Index(layout.modality(config.modality).var_names)
    result = np.zeros((len(session), len(names)), np.float32)
    generator = make_generator(config.seed, session.device)
    with evaluating(session.network):
        for step in walk(session, config, predictor=predictor, size=session.batch_size):
            library = step.q.mean.new_full((len(step.batch), 1), float(np.log(library_size)))
            mean = torch.zeros(len(step.batch), len(names), device=session.device)
            turns = step.group.turns(config.n_samples)
            for code in turns:
                mean += likelihood.mean(
                    predictor.parameters(
                        step.q.sample(generator),
                        step.batch,
                        decode_as=code,
                        log_library=library,
                    )
                )
            target = np.arange(len(names))
            if step.group.features is not None:
                target = step.group.features
            result[np.ix_(step.rows, target)] = (mean / len(turns)).cpu().numpy()[:, target]
    return pd.DataFrame(result[:, features], index=session.obs_names, columns=names[features])
