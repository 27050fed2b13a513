"""What all answers share: which modalities a system generates, and checks of their options."""

from collections.abc import Sequence

import numpy as np
from mudata import MuData

from hzau_omics.data import CellStore
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.model.answers.decoding import batch_names
from hzau_omics.model.answers.draws import PredictiveConfig
from hzau_omics.model.answers.neighbours import Neighbours, NeighbourSetting, ReferenceCells
from hzau_omics.model.holding import DataHolder
from hzau_omics.model.session import check_given, draw_seed

type Cells = MuData | CellStore | None


class Answers(DataHolder):
    """Base of all answers.

    All take the training cells, or held-out ones as a MuData or a store on disk. Features are
    matched by name, and modalities may be missing. Rows are in the order of ``obs_names``, or of
    `indices` if these are given.
    """

    LATENT_KEY = "X_hzau"

    model_version_: int | None
    neighbours_: tuple[NeighbourSetting, ...]

    def _turns(self, modality: str, transform_batch: str | Sequence[str] | None) -> Sequence[str]:
        """Return the batches as which cells without a batch are decoded in turn."""
        chosen = batch_names(self.layout, transform_batch)
        if chosen is not None:
            return chosen
        donors = np.flatnonzero(self.layout.donors(modality))
        return [self.layout.batch.categories[i] for i in donors]

    @property
    def _generated(self) -> list[str]:
        return [self.layout.names[m] for m in self.module.config.generated]

    def _check_generated(self, modality: str) -> None:
        self.layout.modality(modality)
        if modality not in self._generated:
            msg = (
                f"{type(self).__name__} generates {', '.join(self._generated)} given "
                f"{', '.join(self.module.config.condition)}, and does not predict {modality!r}. "
                "Take MVAE or HZAUVAE, which predict every modality."
            )
            raise ConfigError(msg)

    def _predictive(
        self,
        modality: str,
        given: str | Sequence[str] | None,
        n_samples: int,
        transform_batch: str | Sequence[str] | None,
        seed: int | None,
    ) -> PredictiveConfig:
        self._check_generated(modality)
        return PredictiveConfig(
            modality=modality,
            given=check_given(self.layout, given),
            n_samples=n_samples,
            transform_batch=batch_names(self.layout, transform_batch),
            seed=draw_seed(seed),
        )

    def _neighbours(self, modality: str, *, wanted: bool) -> Neighbours | None:
        """Return the neighbours that predictions of a modality are mixed with.

        None if they are not wanted or do not help, or if the training cells are not at hand as they
        were: in a model without data, with other data, or with data that changed since set-up.
        """
        settings = [s for s in getattr(self, "neighbours_", ()) if s.modality == modality]
        store, training = self._store, self.train_indices_
        if not wanted or not settings or store is None or training is None:
            return None
        try:
            if store.change() is not None:
                return None
        except DataContractError:
            return None
        return Neighbours(ReferenceCells(self.module, store, training, modality), settings)
