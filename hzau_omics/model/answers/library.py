"""Library sizes: the total counts of cells, measured or expected."""

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.decoding import ModalityPredictor
from hzau_omics.model.answers.draws import PredictiveConfig, Step, walk
from hzau_omics.model.session import InferenceSession, evaluating


class LibrarySizes(Answers):
    """Library sizes of cells."""

    def get_latent_library_size(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return the library size of each cell: the total counts that it is decoded with.

        Parameters
        ----------
        mdata, indices, batch_size
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Data frame (cells, modalities that have a library size), in counts. With
        ``library="observed"``, the default of count likelihoods for 100 features or more, it is the
        cell's own total of the features that its batch measured. In cells that lack the modality,
        and throughout with ``library="learned"``, it is the median of the total that the model
        expects, given the mean of the latent; for a batch that did not measure the modality, the
        geometric mean over those that did.

        Raises
        ------
        ConfigError
            No modality has a library size.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=60, n_features={"rna": 120, "adt": 9}, seed=0)
        >>> ho.model.MVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.MVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> list(model.get_latent_library_size().columns)
        ['rna']
        """
        names = [
            name
            for name in self._generated
            if self.module.decoder(self.layout.names.index(name)).likelihood.uses_library
        ]
        if not names:
            msg = (
                "A modality must have a library size. Received a model of "
                f"{', '.join(self._generated)}, none of which has one. Set a modality of counts up "
                "with hzau_omics.data.ModalitySpec('nb', library='observed')."
            )
            raise ConfigError(msg)
        session = self._session(mdata, indices, batch_size)
        columns = {name: library_sizes(session, name) for name in names}
        return pd.DataFrame(columns, index=session.obs_names)


def library_sizes(session: InferenceSession, modality: str) -> NDArray[np.float32]:
    """Return the library size of each cell (cell), in counts."""
    predictor = ModalityPredictor(session.network, session.layout, modality)
    found = np.empty(len(session), np.float32)
    last = None
    with evaluating(session.network):
        for step in walk(
            session, PredictiveConfig(modality), predictor=predictor, size=session.batch_size
        ):
            # Of the groups of features of a cell, the first has those that its batch measured.
            if step.q is not last:
                last = step.q
                found[step.rows] = _log_total(predictor, step).exp().squeeze(-1).cpu().numpy()
    return found


def _log_total(predictor: ModalityPredictor, step: Step) -> Tensor:
    """Return the log of the total of each cell of a step, (cell, 1)."""
    observed = predictor.network.decoder(predictor.index).library_is_observed
    if observed and bool(step.seen.all()):
        return step.batch.observed(predictor.modality, None).total.clamp_min(1.0).log()
    expected = []
    for code in step.group.batches:
        library = predictor.library(step.q.mean, step.batch, decode_as=code)
        assert library is not None
        expected.append(library.mean)
    return torch.stack(expected).mean(dim=0)
