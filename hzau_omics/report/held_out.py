"""Modalities of held-out cells, imputed from their other modalities and compared."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from numpy.typing import NDArray

from hzau_omics.arrays import dense
from hzau_omics.data.contract.layout import ModalityLayout
from hzau_omics.errors import ConfigError
from hzau_omics.metrics import pearson_per_feature
from hzau_omics.report.subject import Subject
from hzau_omics.report.values import Matrix, values_of

_CELLS, _FEATURES, _DRAWS = 1_000, 200, 100
_FEWEST = 10
_BUDGET = 150_000_000
"""Predictive draws of all values: what takes some ten seconds."""


@dataclass(frozen=True, kw_only=True)
class Imputed:
    """One modality of held-out cells.

    Attributes
    ----------
    modality
        Its name.
    given
        Modalities that it was imputed from.
    cells
        Positions of the cells in the store.
    adata
        Imputed values with their quantiles.
    measured
        Measured values (cell, feature), NaN where a batch did not measure the feature.
    pit
        Position of each measured value within its prediction (one of `pit_cells`, feature); None
        for values from 0 to 1.
    pit_cells
        Positions in the store of the cells of `pit`, all or some of `cells`.
    n_features
        Number of the features of the modality that could be compared; `measured` has all of them,
        or those with the largest variance.
    n_unknown
        Number of features that were measured in these cells, and in no batch of the training.
    """

    modality: str
    given: tuple[str, ...]
    cells: NDArray[np.int64]
    adata: AnnData
    measured: pd.DataFrame
    pit: pd.DataFrame | None
    pit_cells: NDArray[np.int64]
    n_features: int
    n_unknown: int = 0

    @property
    def is_count(self) -> bool:
        """Whether the values are counts."""
        return "log1p_mean" in self.adata.layers

    @property
    def which(self) -> str:
        """Which features are compared, in words."""
        n, of = self.measured.shape[1], self.n_features
        if n == of:
            return f"{n:,} features"
        return f"the {n:,} features of {of:,} with the largest variance"

    @property
    def predicted(self) -> NDArray[np.float64]:
        """Imputed values (cell, feature), of counts the mean of log1p."""
        layer = self.adata.layers["log1p_mean"] if self.is_count else self.adata.X
        return dense(layer, np.float64)

    @property
    def observed(self) -> NDArray[np.float64]:
        """Measured values on the scale of `predicted`."""
        values = self.measured.to_numpy(np.float64)
        return np.log1p(values) if self.is_count else values

    @property
    def pearson(self) -> pd.Series:
        """Correlation of imputed and measured values by feature."""
        return pd.Series(pearson_per_feature(self.predicted, self.observed), self.measured.columns)


def impute_held_out(subject: Subject) -> list[Imputed]:
    """Impute each modality of held-out cells from the others, texts left out.

    Raises
    ------
    ConfigError
        There is one modality only, the model imputes none, or no held-out cell has two.
    """
    names = [one.name for one in subject.layout.modalities if one.text is None]
    if len(names) < 2:
        msg = "A modality is imputed from others, and there is no other one."
        raise ConfigError(msg)
    found, reasons = [], []
    for name in names:
        try:
            found.append(_impute(subject, name, tuple(n for n in names if n != name)))
        except ConfigError as error:
            reasons.append(str(error))
    if not found:
        raise ConfigError(reasons[0])
    return found


def _impute(subject: Subject, name: str, given: tuple[str, ...]) -> Imputed:
    store, layout = subject.store, subject.layout
    has = store.present[subject.held_out]
    where = {one: has[:, i] for i, one in enumerate(layout.names)}
    both = where[name] & np.any([where[one] for one in given], axis=0)
    cells = subject.some(subject.held_out[both], _CELLS)
    if len(cells) < _FEWEST:
        msg = (
            f"Imputed values are compared with measured ones of held-out cells, and {len(cells)} "
            "of these have several modalities."
        )
        raise ConfigError(msg)
    modality = layout.modality(name)
    values = values_of(store, cells)[name]
    measured_here = np.ones(modality.n_features, dtype=bool)
    panel = store.feature_table(name)
    if panel is not None:
        measured_here = panel[np.unique(store.batch[cells])].any(axis=0)
    comparable = measured_here & known_features(modality)
    features = np.flatnonzero(comparable)
    if not len(features):
        msg = f"No feature of {name} was measured in these cells and in those of the training."
        raise ConfigError(msg)
    n_comparable = len(features)
    if n_comparable > _FEATURES:
        features = features[_most_varied(values[:, features])]
    wanted = [modality.var_names[i] for i in features]
    adata = subject.model.impute(
        name, store, given=list(given), n_samples=_DRAWS, features=wanted, indices=cells,
        seed=subject.seed,
    )  # fmt: skip
    measured = pd.DataFrame(dense(values[:, features], np.float64), adata.obs_names, wanted)
    if panel is not None:
        measured = measured.where(panel[store.batch[cells]][:, features])
    some = subject.some(cells, max(50, int(_BUDGET / (_DRAWS * modality.n_features))))
    pit = None
    if modality.spec.likelihood not in ("bernoulli", "categorical"):
        pit = subject.model.get_pit(
            name, store, given=list(given), n_samples=_DRAWS, indices=some, seed=subject.seed
        )[wanted]
    return Imputed(
        modality=name, given=given, cells=cells, adata=adata, measured=measured, pit=pit,
        pit_cells=some, n_features=n_comparable, n_unknown=int((measured_here & ~comparable).sum()),
    )  # fmt: skip


def _most_varied(values: Matrix) -> NDArray[np.int64]:
    """Return the 200 features with the largest variance, in order."""
    mean = np.asarray(values.mean(axis=0)).ravel()
    square = np.asarray((values * values).mean(axis=0)).ravel()
    return np.sort(np.argsort(-(square - mean**2), kind="stable")[:_FEATURES])


def known_features(modality: ModalityLayout) -> NDArray[np.bool_]:
    """Return which features some batch measured in training; shape (feature)."""
    if modality.panel is None or not modality.measured.any():
        return np.ones(modality.n_features, dtype=bool)
    return np.asarray(modality.panel[modality.measured].any(axis=0))
