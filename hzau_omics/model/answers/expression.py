"""Normalised expression: the denoised values of a cell, and what of them is background."""

from collections.abc import Sequence

import pandas as pd
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from hzau_omics.checks import POSITIVE, check_number
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.answers.draws import expected_values, select_features
from hzau_omics.nn.decoding.likelihoods import Parameters


class Expression(Answers):
    """Normalised expression, and probabilities of foreground."""

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
        """Return denoised values: the mean that the model expects, averaged over latent draws.

        Parameters
        ----------
        modality
            Modality to decode.
        transform_batch
            Batch or batches to decode as, each once: what the cell would look like in another
            batch. Several are averaged.
        library_size
            Total that counts are scaled to; 1 gives shares of the total. A modality without a
            library size (by default, a panel of fewer than 100 features) gives expected counts, and
            allows no other value.
        mdata, indices, features, given, n_samples, batch_size, seed
            As in :meth:`impute`.

        Returns
        -------
        Data frame (cells, features).

        Warnings
        --------
        Do not test these values for differences between groups of cells, with Wilcoxon's or any
        other test of single cells. Denoising removes the noise that such a test compares a
        difference with, and the values of cells depend on each other through the model: almost
        every gene becomes significant (in one data set 2,890 of 3,353). Test the measured counts,
        ideally with one pseudobulk per sample. The values are for plots, scores and comparisons of
        effect sizes.
        """
        remedy = ""
        if isinstance(library_size, str) and library_size == "latent":
            remedy = "impute(...).X is on the scale of each cell's own total."
        library_size = check_number("library_size", library_size, POSITIVE, remedy=remedy)
        self._check_library_size(modality, library_size)
        config = self._predictive(modality, given, n_samples, transform_batch, seed)
        chosen = select_features(self.layout, modality, features)
        session = self._session(mdata, indices, batch_size)
        values = expected_values(session, config, library_size=library_size)
        names = pd.Index(self.layout.modality(modality).var_names)
        return pd.DataFrame(values[:, chosen], index=session.obs_names, columns=names[chosen])

    def get_protein_foreground_probability(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        transform_batch: str | Sequence[str] | None = None,
        features: str | Sequence[str] | None = None,
        given: str | Sequence[str] | None = None,
        n_samples: int = 25,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Return how likely a protein's count comes from the protein and not from background.

        For modalities with the likelihood ``nb_mixture``. The probability is the decoder's, given
        the latent: it does not look at the count itself once more.

        Parameters
        ----------
        modality
            Modality of the likelihood ``nb_mixture``.
        transform_batch, mdata, features, given, n_samples, indices, batch_size, seed
            As in :meth:`get_normalized_expression`.

        Returns
        -------
        Data frame (cells, features) of probabilities, averaged over latent draws.

        Raises
        ------
        ConfigError
            The modality has another likelihood.
        """
        config = self._predictive(modality, given, n_samples, transform_batch, seed)
        likelihood = self.layout.modality(modality).spec.likelihood
        if likelihood != "nb_mixture":
            msg = (
                "Background is told from foreground by the likelihood 'nb_mixture'. Received "
                f"{modality!r} ({likelihood}): set it up with modalities={{{modality!r}: "
                "'nb_mixture'}."
            )
            raise ConfigError(msg)
        chosen = select_features(self.layout, modality, features)
        session = self._session(mdata, indices, batch_size)
        values = expected_values(session, config, value=_foreground)
        names = pd.Index(self.layout.modality(modality).var_names)
        return pd.DataFrame(values[:, chosen], index=session.obs_names, columns=names[chosen])

    def _check_library_size(self, modality: str, library_size: float) -> None:
        layout = self.layout.modality(modality)
        decoder = self.module.decoder(self.layout.names.index(modality))
        if library_size != 1.0 and not decoder.likelihood.uses_library:
            remedy = "leave it out"
            if decoder.likelihood.is_count:
                remedy += ", or set the modality up with ModalitySpec(..., library='observed')"
            msg = (
                f"Modality {modality!r} ({layout.spec.likelihood}) has no library size to scale "
                f"to. Received library_size={library_size}: {remedy}."
            )
            raise ConfigError(msg)


def _foreground(parameters: Parameters) -> Tensor:
    return torch.sigmoid(-parameters["background_logit"])
