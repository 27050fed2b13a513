"""Probability integral transforms: whether predictive intervals are calibrated."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import check_flag
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.draws import PredictiveConfig, predictive_chunks
from hzau_omics.model.answers.neighbours import Neighbours
from hzau_omics.model.session import InferenceSession, evaluating, make_generator


class PitValues(Answers):
    """Probability integral transforms."""

    def get_pit(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        given: str | Sequence[str] | None = None,
        n_samples: int = 100,
        neighbours: bool = True,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Return randomised probability integral transforms of the observed values.

        For a calibrated model they are uniform. The coverage of the 90 % interval is the share of
        values in [0.05, 0.95]. Ties between draws and discrete values are broken at random
        (Czado, Gneiting and Held 2009).

        Parameters
        ----------
        modality
            Modality whose measurements are compared with predictions.
        given
            Modality or modalities to infer from; None for all others, or for `modality` itself if
            there is no other.
        mdata, indices, n_samples, neighbours, batch_size, seed
            As in :meth:`impute`.

        Returns
        -------
        Data frame (cells, features) in (0, 1), NaN where nothing was measured.
        """
        self._check_generated(modality)
        if given is None:
            given = [name for name in self.layout.names if name != modality] or [modality]
        config = self._predictive(modality, given, n_samples, None, seed)
        session = self._session(mdata, indices, batch_size)
        wanted = check_flag("neighbours", neighbours)
        return pit(session, config, self._neighbours(modality, wanted=wanted))


def pit(
    session: InferenceSession, config: PredictiveConfig, neighbours: Neighbours | None = None
) -> pd.DataFrame:
    """Return randomised PIT values of observed entries, NaN where nothing was measured."""
    names = list(session.layout.modality(config.modality).var_names)
    values = pit_values(session, config, features=np.arange(len(names)), neighbours=neighbours)
    return pd.DataFrame(values, index=session.obs_names, columns=names)


def pit_values(
    session: InferenceSession,
    config: PredictiveConfig,
    *,
    features: NDArray[np.int64],
    neighbours: Neighbours | None = None,
) -> NDArray[np.float32]:
    """Return randomised PIT values (cell, wanted feature), NaN where nothing was measured."""
    index = session.layout.names.index(config.modality)
    n_features = session.layout.modality(config.modality).n_features
    result = np.full((len(session), n_features), np.nan, np.float32)
    positions = np.flatnonzero(session.store.present[session.cells, index])
    generator = make_generator(config.seed, session.device)
    with evaluating(session.network):
        for chunk in predictive_chunks(
            session,
            config,
            features=features,
            positions=positions,
            means=False,
            neighbours=neighbours,
        ):
            draws = chunk.found.draws
            assert draws is not None
            columns = torch.from_numpy(chunk.features).to(session.device)
            observed = chunk.batch.x[config.modality][:, columns]
            below = (draws < observed).sum(0)
            ties = (draws == observed).sum(0)
            jitter = torch.rand(observed.shape, generator=generator, device=session.device)
            value = (below + jitter * (ties + 1)) / (len(draws) + 1)
            if config.modality in chunk.batch.feature_mask:
                mask = chunk.batch.feature_mask[config.modality][:, columns]
                value = torch.where(mask, value, torch.nan)
            result[np.ix_(chunk.rows, chunk.features)] = value.cpu().numpy()
    return result[:, features]
