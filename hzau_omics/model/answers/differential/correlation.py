"""Correlation of features across modalities, denoised."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from hzau_omics.checks import check_choice, check_integer, check_mapping
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.decoding import batch_codes
from hzau_omics.model.answers.differential.expected import Expectation
from hzau_omics.model.answers.differential.request import COMPARABLE
from hzau_omics.model.answers.draws import select_features
from hzau_omics.model.session import draw_seed, evaluating, make_generator

VALUES_HELD = 2**28
"""Denoised values (draw, feature) that are held in memory."""


class FeatureCorrelation(Answers):
    """Correlation of features."""

    def get_feature_correlation_matrix(
        self,
        features: Mapping[str, str | Sequence[str] | None] | None = None,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        n_samples: int = 10,
        correlation_type: str = "spearman",
        transform_batch: str | Sequence[str] | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Return correlations of denoised features, also of different modalities.

        Each cell gives `n_samples` draws of its latent, decoded into the mean of every feature.
        Correlations are over cells and draws, so that what is not known of a cell weakens them.
        Depth and counting noise, which weaken or make up correlations of raw counts, are left out.

        Parameters
        ----------
        features
            Modality -> names of its features, all for None; modalities not named are left out.
            None takes all features of all modalities of counts and shares.
        mdata, indices, transform_batch, batch_size, seed
            As in :meth:`impute`. Cells are decoded as their own batch, or as those that measured
            a modality where their own did not, unless `transform_batch` names one or several.
        n_samples
            Latents drawn per cell.
        correlation_type
            ``"spearman"`` or ``"pearson"``.

        Returns
        -------
        Data frame (feature, feature) with correlations in [-1, 1]. Index and columns are
        ``"modality:feature"``. NaN for a feature that is constant.

        Raises
        ------
        ConfigError
            No feature is named, or all values would not fit into memory: choose features or cells.
        DataContractError
            A feature or modality is unknown.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> wanted = {"rna": ["rna_0", "rna_1"], "adt": ["adt_0"]}
        >>> model.get_feature_correlation_matrix(wanted, seed=0).shape
        (3, 3)
        """
        kind = check_choice("correlation_type", correlation_type, ("spearman", "pearson"))
        n_samples = check_integer("n_samples", n_samples)
        chosen = self._chosen_features(features)
        session = self._session(mdata, indices, batch_size)
        names = [
            f"{modality}:{self.layout.modality(modality).var_names[i]}"
            for modality, positions in chosen.items()
            for i in positions
        ]
        n_values = len(session) * n_samples * len(names)
        if n_values > VALUES_HELD:
            msg = (
                f"Correlations need all values in memory. Received {len(session):,} cells x "
                f"{n_samples} draws x {len(names):,} features, more than {VALUES_HELD:,} values. "
                "Choose features, or some cells (indices=)."
            )
            raise ConfigError(msg)
        values = np.empty((n_samples, len(session), len(names)), np.float32)
        generator = make_generator(draw_seed(seed), session.device)
        codes = None if transform_batch is None else batch_codes(self.layout, transform_batch)
        expectations = {
            modality: Expectation(session.network, session.layout, modality, codes)
            for modality in chosen
        }
        with evaluating(session.network):
            for rows, batch in session.minibatches():
                q = session.infer(batch, None)[1].q
                for i in range(n_samples):
                    z = q.sample(generator)
                    found = [
                        expectations[modality].at(z, batch)[:, positions]
                        for modality, positions in chosen.items()
                    ]
                    values[i, rows] = torch.cat(found, 1).cpu().numpy()
        flat = values.reshape(-1, len(names))
        correlation = _correlation(rankdata(flat, axis=0) if kind == "spearman" else flat)
        return pd.DataFrame(correlation, index=names, columns=names)

    def _chosen_features(
        self, features: Mapping[str, str | Sequence[str] | None] | None
    ) -> dict[str, NDArray[np.int64]]:
        """Return positions of the wanted features of each modality."""
        if features is None:
            comparable = [
                name
                for name in self._generated
                if self.layout.modality(name).spec.domain in COMPARABLE
            ]
            return {name: select_features(self.layout, name, None) for name in comparable}
        wanted = check_mapping("features", features)
        for modality in wanted:
            self._check_generated(modality)
        chosen = {m: select_features(self.layout, m, names) for m, names in wanted.items()}
        if not chosen:
            msg = "features must name a modality. Received none. Leave it out for all."
            raise ConfigError(msg)
        return chosen


def _correlation(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return Pearson correlations of the columns, NaN for a constant one.

    Examples
    --------
    >>> _correlation(np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]])).round(3).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """
    centred = values - values.mean(0, dtype=np.float64)
    length = np.sqrt((centred**2).sum(0))
    length[length == 0] = np.nan
    return np.asarray(np.clip((centred / length).T @ (centred / length), -1.0, 1.0))
