"""Generation: what new cells would look like."""

from collections.abc import Sequence
from typing import overload

from anndata import AnnData
from mudata import MuData

from hzau_omics.checks import check_flag, check_integer
from hzau_omics.data import CellStore
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.base import Answers
from hzau_omics.model.answers.decoding import batch_names
from hzau_omics.model.answers.new_cells import Draws, sample_posterior, sample_prior
from hzau_omics.model.answers.text.cells import cells_of_texts
from hzau_omics.model.answers.text.modality import find_text_modality
from hzau_omics.model.answers.text.queries import Texts, text_list
from hzau_omics.model.session import check_given, draw_seed


class Generation(Answers):
    """New cells: from the prior, from other modalities, from words."""

    @overload
    def sample(
        self,
        n_samples: int,
        modality: str,
        *,
        give_mean: bool = False,
        transform_batch: str | Sequence[str] | None = None,
        seed: int | None = None,
    ) -> AnnData: ...

    @overload
    def sample(
        self,
        n_samples: int,
        modality: None = None,
        *,
        give_mean: bool = False,
        transform_batch: str | Sequence[str] | None = None,
        seed: int | None = None,
    ) -> MuData: ...

    def sample(
        self,
        n_samples: int,
        modality: str | None = None,
        *,
        give_mean: bool = False,
        transform_batch: str | Sequence[str] | None = None,
        seed: int | None = None,
    ) -> AnnData | MuData:
        """Draw new cells: a latent of each from the prior, and its modalities from the decoders.

        Parameters
        ----------
        n_samples
            Number of cells.
        modality
            Modality to draw; None for all, of the same cells.
        give_mean
            Whether to return the decoder's means (of pixels: the grey values) in place of draws.
        transform_batch
            Batch or batches to decode as, in turn; by default those that measured the modality. A
            feature that a batch did not measure is then decoded as a batch that did.
        seed
            Seed of the draws.

        Returns
        -------
        AnnData of shape (n_samples, features) in the data's units, the latents in ``obsm``, and the
        batch in ``obs["decoded_as"]``; for all modalities, a MuData of these. Categorical
        covariates have their first category, continuous ones their mean.

        Raises
        ------
        ConfigError
            The system has no prior without a condition, or `n_samples` is out of range.
        """
        self._check_if_trained()
        n_samples = check_integer("n_samples", n_samples)
        give_mean, seed = check_flag("give_mean", give_mean), draw_seed(seed)
        if modality is not None:
            self._check_generated(modality)
        if self.module.config.condition:
            msg = (
                f"{type(self).__name__} has no prior without its condition "
                f"({', '.join(self.module.config.condition)}). Call generate with cells that have "
                "it, or sample from MVAE or HZAUVAE."
            )
            raise ConfigError(msg)
        found = sample_prior(
            self.module,
            self.layout,
            self._generated if modality is None else [modality],
            n_samples,
            Draws(self.LATENT_KEY, give_mean, seed),
            transform_batch=batch_names(self.layout, transform_batch),
        )
        return MuData(found) if modality is None else found[modality]

    def generate(
        self,
        modality: str,
        given: MuData | CellStore | None = None,
        *,
        text: Texts | None = None,
        conditions: str | Sequence[str] | None = None,
        n_samples: int = 1,
        give_mean: bool = False,
        transform_batch: str | Sequence[str] | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> AnnData:
        """Draw one modality of new cells, given other modalities or a text.

        Parameters
        ----------
        modality
            Modality to draw.
        given
            Cells to infer from, with the registered batch and covariates. Cells with nothing but a
            modality of labels give new cells with these labels.
        text
            In place of `given`: a text, or several, to draw new cells from. Without
            `transform_batch` these are decoded, in turn, as the batches that measured `modality`.
            Categorical covariates have their first category, continuous ones their mean.
        conditions
            Modalities of the cells to infer from; None for all but `modality`. With `text`, the
            text modality; None for the only one.
        n_samples
            New cells for each cell or text.
        give_mean
            Whether to return the decoder's means (of pixels: the grey values) in place of draws.
        transform_batch
            Batch or batches to decode as, in turn; by default as in :meth:`impute`.
        batch_size, seed
            As in :meth:`impute`.

        Returns
        -------
        AnnData of shape (cells x n_samples, features) in the data's units, with the draws of a cell
        one after another; ``obs["cell"]`` names the cell or text, and ``obsm`` has the latents. All
        features of a draw belong to one cell, unlike the averages of :meth:`impute`.

        Raises
        ------
        DataContractError
            A modality is unknown, a cell has nothing to infer from, or a text is not understood.
        ConfigError
            Neither or both of `given` and `text` are given; the system does not generate the
            modality, has no posterior of the conditions, or `n_samples` is out of range.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=60, seed=0)
        >>> ho.model.MVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.MVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=1, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> model.generate("adt", mdata[:3], n_samples=4, seed=0).shape
        (12, 30)
        """
        if (given is None) == (text is None):
            n = "neither" if given is None else "both"
            msg = f"generate takes either cells, given=, or words, text=. Received {n}: pass one."
            raise ConfigError(msg)
        names = check_given(self.layout, conditions, name="conditions")
        give_mean = check_flag("give_mean", give_mean)
        if text is not None:
            if names is not None and len(names) > 1:
                msg = f"A text is read by one modality. Received conditions={names}: pass one."
                raise ConfigError(msg)
            registered = find_text_modality(self.layout, None if names is None else names[0])
            self._check_generated(modality)
            batches = self._turns(modality, transform_batch)
            # Encoders see the batch: texts are encoded as those of a batch that has texts.
            with_text = self._turns(registered.name, None)
            read_as = next((batch for batch in batches if batch in with_text), with_text[0])
            given = cells_of_texts(self.layout, registered, text_list(text), read_as)
            names, transform_batch = (registered.name,), batches
        elif names is None:
            names = tuple(name for name in self.layout.names if name != modality)
        config = self._predictive(modality, names or None, n_samples, transform_batch, seed)
        if not names:
            msg = (
                f"{type(self).__name__} was set up with {modality!r} only: there is nothing to "
                "generate it from. Call sample, or set up a system of several modalities, such as "
                "MVAE."
            )
            raise ConfigError(msg)
        assert given is not None
        return sample_posterior(
            self._session(given, None, batch_size),
            config,
            Draws(self.LATENT_KEY, give_mean, config.seed),
        )
