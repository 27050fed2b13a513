"""The results every model gives: embeddings, imputations, scores, and the way back to MuData."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args, overload

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import (
    LARGEST_SEED,
    POSITIVE,
    check_choice,
    check_flag,
    check_integer,
    check_number,
    check_path,
    check_seed,
    if_given,
)
from hzau_omics.data import CellStore, DiskStore
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers import (
    embedding as latent,
    export,
    generation as sampling,
    imputation as predictive,
    reliability,
    scores as likelihood_scores,
)
from hzau_omics.model.answers.decoding import batch_names
from hzau_omics.model.answers.imputation import PredictiveConfig
from hzau_omics.model.answers.scores import Proposal, Target
from hzau_omics.model.answers.session import check_given, draw_seed
from hzau_omics.model.answers.text import Texts, cells_of_texts, find_text_modality, text_list
from hzau_omics.model.base import TrainableModel

type Cells = MuData | CellStore | None


class MultimodalModel(TrainableModel):
    """Latent embeddings, imputation, calibration and likelihoods of a multimodal VAE.

    All methods take the training cells, or held-out ones as a MuData or a store on disk: features
    are matched by name, modalities may be missing. Rows come in the order of ``obs_names`` (of
    `indices`, if given).
    """

    LATENT_KEY = "X_hzau"
    ANNOTATIONS: ClassVar[frozenset[str]] = frozenset()
    """Names that :meth:`annotate` may write besides the latents: it removes what is out of date."""

    @overload
    def get_latent_representation(
        self, mdata: Cells = ..., *, return_dist: Literal[True], **kwargs: object
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...

    @overload
    def get_latent_representation(
        self, mdata: Cells = ..., *, return_dist: Literal[False] = ..., **kwargs: object
    ) -> NDArray[np.float32]: ...

    def get_latent_representation(  # type: ignore[misc]
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        given: str | Sequence[str] | None = None,
        give_mean: bool = True,
        return_dist: bool = False,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the latent embedding of each cell.

        Parameters
        ----------
        mdata
            Cells; None for those the model was set up with.
        indices
            Positions of the wanted cells, each once, or a boolean mask.
        given
            Modality or modalities to infer from, each once; None for all that a cell has. A cell
            that has none of them gets the prior: mean 0 and variance 1.
        give_mean
            Whether to return posterior means; False draws one sample per cell.
        return_dist
            Whether to return means and variances instead.
        batch_size
            Cells per minibatch (512).
        seed
            Seed of the samples.

        Returns
        -------
        Array of shape (cells, n_latent), or two of them.

        Raises
        ------
        DataContractError
            The MuData does not fit the registered one, or `given` is unknown.
        ConfigError
            An option is out of range.
        """
        names = check_given(self.layout, given)
        return_dist = check_flag("return_dist", return_dist)
        give_mean = check_flag("give_mean", give_mean)
        seed = if_given(check_seed, "seed", seed)
        session = self._session(mdata, indices, batch_size)
        mean, variance = latent.embed(session, names)
        if return_dist:
            return mean, variance
        return mean if give_mean else latent.sample_latent(mean, variance, seed)

    def impute(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        given: str | Sequence[str] | None = None,
        n_samples: int = 100,
        quantiles: float | Sequence[float] = (0.05, 0.95),
        features: str | Sequence[str] | None = None,
        transform_batch: str | Sequence[str] | None = None,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> AnnData:
        """Predict a modality for all cells, with intervals.

        Draws come from the posterior predictive distribution: latent, library size and observation
        noise. By default each cell is inferred from everything it has, also from the modality
        itself; `given` leaves things out. What a batch did not measure is decoded as the average
        over the batches that did.

        Parameters
        ----------
        modality
            Modality to predict.
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.
        given
            Modality or modalities to infer from.
        n_samples
            Predictive draws per cell. Where several batches are averaged, each gets as many draws
            as any other: the number is rounded up.
        quantiles
            Probabilities of the quantile layers, one or several; ``()`` for none.
        features
            Feature or features to return, each once; None for all.
        transform_batch
            Batch or batches to decode as, each once; several are averaged.

        Returns
        -------
        AnnData of shape (cells, features): ``X`` the predictive mean (counts, for counts), layers
        ``q05``, ``q95`` (per `quantiles`), for counts also ``log1p_mean`` (mean of log1p of the
        draws: the one to correlate with log1p data), and ``obs["observed"]``, whether the cell has
        the modality. Where ``obs["batch_measured"]`` is False, no cell of the batch had it in
        training: how deeply the batch would have been sequenced is then unknown, and intervals
        cover less than they say. With panels the layer ``measured`` says what a batch measured.

        Raises
        ------
        DataContractError
            The modality, a feature or a batch is unknown.
        ConfigError
            An option is out of range, or a list holds something twice.
        """
        config = self._predictive(modality, given, n_samples, transform_batch, seed)
        layers = predictive.check_quantiles(quantiles)
        chosen = predictive.select_features(self.layout, modality, features)
        session = self._session(mdata, indices, batch_size)
        return predictive.impute(session, config, quantiles=layers, features=chosen)

    def write_imputed(
        self,
        path: str | Path,
        modality: str,
        mdata: Cells = None,
        *,
        overwrite: bool = False,
        **options: Any,
    ) -> None:
        """Impute a modality as :meth:`impute` does, and write it to disk, some cells at a time.

        Parameters
        ----------
        path
            Folder to make, by custom with the suffix ``.zarr``; ``anndata.read_zarr`` opens it.
        modality, mdata
            As in :meth:`impute`.
        overwrite
            Whether to replace an earlier result of this name.
        **options
            As in :meth:`impute`, but for `indices`.

        Raises
        ------
        ConfigError
            The folder exists, an option is out of range, or the extra ``[large]`` is missing.
        """
        seed = draw_seed(options.pop("seed", None))
        overwrite = check_flag("overwrite", overwrite)
        folder = check_path("path", path)
        self._check_generated(modality)
        if "indices" in options:
            msg = "write_imputed writes all cells. Leave indices out, or call impute."
            raise ConfigError(msg)
        # One view of the cells for all spans: a held-out MuData is checked once.
        store = self._session(mdata, None, None).store

        def impute(i: int, cells: NDArray[np.int64]) -> AnnData:
            of_span = (seed + i) % (LARGEST_SEED + 1)
            return self.impute(modality, store, indices=cells, seed=of_span, **options)

        export.write_imputed(folder, store, modality, impute, overwrite=overwrite)

    def get_pit(
        self,
        modality: str,
        mdata: Cells = None,
        *,
        given: str | Sequence[str] | None = None,
        n_samples: int = 100,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> pd.DataFrame:
        """Return randomised probability integral transforms of the observed values.

        For a calibrated model they are uniform, so that the coverage of the 90 % interval is the
        share of values in [0.05, 0.95]. Ties between draws and discrete values are broken at random
        (Czado, Gneiting and Held 2009).

        Parameters
        ----------
        modality
            Modality whose measurements are looked at.
        given
            Modalities to infer from; None for all other ones (its own, if there is no other).
        mdata, indices, n_samples, batch_size, seed
            As in :meth:`impute`.

        Returns
        -------
        Data frame (cells, features) in (0, 1), NaN where nothing was measured.
        """
        self._check_generated(modality)
        if given is None:
            given = [name for name in self.layout.names if name != modality] or [modality]
        config = self._predictive(modality, given, n_samples, None, seed)
        return predictive.pit(self._session(mdata, indices, batch_size), config)

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
        chosen = predictive.select_features(self.layout, modality, features)
        session = self._session(mdata, indices, batch_size)
        return predictive.normalized_expression(
            session, config, library_size=library_size, features=chosen
        )

    def get_elbo(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        n_samples: int = 1,
        return_mean: bool = True,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> float | NDArray[np.float32]:
        """Return the unweighted ELBO in nats per cell (higher is better; equation 10-5).

        Counts are scored given their total, as the decoder sees it. A cell that has nothing of what
        the system generates (CVAE: the first modality) gets NaN, and does not count in the mean.

        Parameters
        ----------
        n_samples
            Latent draws per cell.
        return_mean
            Whether to average over cells; False gives an array of shape (cells,).
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.
        """
        n_samples = check_integer("n_samples", n_samples)
        return_mean, seed = check_flag("return_mean", return_mean), draw_seed(seed)
        session = self._session(mdata, indices, batch_size)
        kl, log_prob = likelihood_scores.elbo_terms(session, n_samples=n_samples, seed=seed)
        scored = np.isfinite(log_prob).any(axis=1)
        elbo = np.where(scored, np.nansum(log_prob, axis=1) - kl, np.nan)
        return float(np.nanmean(elbo)) if return_mean else elbo

    def get_reconstruction_error(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        n_samples: int = 1,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> dict[str, float]:
        """Return -E_q log p(x_m | z) per modality in nats per cell that has it (lower is better).

        A modality that no cell has gets NaN.
        """
        n_samples, seed = check_integer("n_samples", n_samples), draw_seed(seed)
        session = self._session(mdata, indices, batch_size)
        _, log_prob = likelihood_scores.elbo_terms(session, n_samples=n_samples, seed=seed)
        return {
            name: float(-np.nanmean(column)) if np.isfinite(column).any() else float("nan")
            for name, column in zip(self.layout.names, log_prob.T, strict=True)
        }

    def get_marginal_ll(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        n_samples: int = 100,
        return_mean: bool = True,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> float | NDArray[np.float64]:
        """Return an importance-weighted bound on log p(x) in nats per cell (higher is better).

        It is the mean weight of `n_samples` latent draws (Burda et al. 2016), at least the ELBO in
        expectation, and approaches log p(x) as the draws grow in number. NaN as in
        :meth:`get_elbo`.
        """
        n_samples = check_integer("n_samples", n_samples)
        return_mean, seed = check_flag("return_mean", return_mean), draw_seed(seed)
        session = self._session(mdata, indices, batch_size)
        bound = likelihood_scores.marginal_log_likelihood(session, n_samples=n_samples, seed=seed)
        return float(np.nanmean(bound)) if return_mean else bound

    def get_log_importance_weights(
        self,
        mdata: Cells = None,
        *,
        given: str | Sequence[str],
        target: Target = "marginal",
        proposal: Proposal = "given",
        n_samples: int = 1000,
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> NDArray[np.float64]:
        """Return log importance weights of latent draws z from a posterior, in nats.

        With x_1 what is `given` and x_2 the other modalities (section 10.4; Table 1 of Wu and
        Goodman 2018), they are, for z from q(z | x_1),

        - marginal: log p(x_1, z) - log q(z | x_1);
        - joint: log p(x_1, x_2, z) - log q(z | x_1);
        - conditional: log p(x_1, z | x_2) - log q(z | x_1), with q(z | x_2) for p(z | x_2).

        The mean weight of the first two bounds log p(x_1) and log p(x_1, x_2)
        (:func:`hzau_omics.metrics.importance_bound`); how much they vary over draws says how far
        q(z | x_1) is from the exact posterior (:func:`hzau_omics.metrics.weight_variance`). The
        conditional target is a surrogate; a bound on log p(x_1 | x_2) without it is the difference
        of the joint one and the marginal one of x_2. Counts are scored given their total.

        Parameters
        ----------
        given
            Modality or modalities x_1.
        target
            Which weights.
        proposal
            ``"given"`` draws from q(z | x_1); ``"all"`` from q(z | x_1, x_2), which then stands in
            the weights too (a CVAE always does so). How much the weights of the joint target differ
            between the two says what x_2 adds to x_1.
        n_samples
            Draws per cell.
        mdata, indices, batch_size, seed
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Array (draws, cells); NaN for cells that have nothing of x_1, or, unless the target is
        marginal, nothing of x_2.

        Raises
        ------
        ConfigError
            The target or the proposal is unknown or needs modalities besides x_1, `n_samples` is
            out of range, or the system has no posterior of x_1 or x_2 (a CVAE of cells without its
            condition; a JMVAE of some, but not all, of three modalities).
        DataContractError
            `given` is unknown.
        """
        names = check_given(self.layout, given) or ()
        condition = self.network_config.condition
        if condition and (target != "conditional" or set(names) & set(condition)):
            msg = (
                f"{type(self).__name__} models {', '.join(self._generated)} given "
                f"{', '.join(condition)}, nothing else: ask for target='conditional' and "
                f"given={self._generated[0]!r}. MVAE and HZAUVAE have all weights."
            )
            raise ConfigError(msg)
        check_choice("target", target, get_args(Target))
        check_choice("proposal", proposal, get_args(Proposal))
        if target == "marginal" and proposal == "all":
            msg = (
                "target='marginal' is about x_1 alone, and draws from q(z | x_1). Take "
                "target='joint' or 'conditional', or leave proposal out."
            )
            raise ConfigError(msg)
        n_samples, seed = check_integer("n_samples", n_samples), draw_seed(seed)
        if target != "marginal" and set(names) == set(self.layout.names):
            msg = (
                f"target={target!r} needs modalities besides those given, {', '.join(names)}, "
                "which are all that this model has. Give fewer, take target='marginal', or a "
                "system of several modalities, such as MVAE."
            )
            raise ConfigError(msg)
        session = self._session(mdata, indices, batch_size)
        return likelihood_scores.log_importance_weights(
            session, given=names, target=target, proposal=proposal, n_samples=n_samples, seed=seed
        )

    def get_agreement(
        self,
        mdata: Cells = None,
        *,
        kind: Literal["score", "pvalue"] = "score",
        indices: ArrayLike | None = None,
        batch_size: int | None = None,
    ) -> pd.DataFrame:
        """Return how little the modalities of each cell agree, for each pair of them.

        The score is minus the log of the integral of q(z | x_1) q(z | x_2) / p(z), in nats: the log
        ratio of "two independent cells" to "one cell". It is high after a swap of samples, for a
        mislabelled cell or a doublet, and where one measurement has failed. Which of the two is
        wrong, one cell alone cannot tell (:meth:`get_reliability` looks at each).

        Parameters
        ----------
        kind
            ``"score"``, or ``"pvalue"``: the share of validation cells, whose modalities belong
            together, that score as high or higher. Of good held-out cells 5 % have a p-value below
            0.05; of training cells fewer, as the model has learned to make theirs agree. Of many
            cells, correct for their number, and note that n validation cells (of which 10,000 at
            most are kept) give no p-value below 1 / (n + 1).
        mdata, indices, batch_size
            As in :meth:`get_latent_representation`.

        Returns
        -------
        Data frame (cells, pairs), columns such as ``"rna|adt"``; NaN where a cell lacks one.

        Raises
        ------
        ConfigError
            `kind` is unknown, the model has one modality only or never infers from one alone, or
            p-values are asked for and the model has no validation cells to compare with.

        Examples
        --------
        >>> import hzau_omics as ho
        >>> mdata = ho.data.simulate(n_obs=80, seed=0)
        >>> ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
        >>> model = ho.model.HZAUVAE(mdata, n_latent=5, n_hidden=16)
        >>> model.train(max_epochs=2, seed=0, enable_progress_bar=False, accelerator="cpu")
        >>> list(model.get_agreement().columns)
        ['rna|adt']
        """
        check_choice("kind", kind, reliability.AGREEMENT_KINDS)
        return reliability.agreement(self._session(mdata, indices, batch_size), kind=kind)

    @overload
    def sample(self, n_samples: int, modality: str, **kwargs: object) -> AnnData: ...

    @overload
    def sample(self, n_samples: int, modality: None = ..., **kwargs: object) -> MuData: ...

    def sample(  # type: ignore[misc]
        self,
        n_samples: int,
        modality: str | None = None,
        *,
        give_mean: bool = False,
        transform_batch: str | Sequence[str] | None = None,
        seed: int | None = None,
    ) -> AnnData | MuData:
        """Draw new cells from the prior: a latent of each, and what the decoders make of it.

        Parameters
        ----------
        n_samples
            Number of cells.
        modality
            Modality to draw; None for all, of the same cells.
        give_mean
            Whether to return the decoder's means (of pixels: the grey values) in place of draws.
        transform_batch
            Batch or batches to decode as, in turns; by default those that measured the modality. A
            feature that a batch did not measure is then decoded as one that did.
        seed
            Seed of the draws.

        Returns
        -------
        AnnData of shape (n_samples, features) in the data's units, the latents in ``obsm``, and the
        batch in ``obs["decoded_as"]``; for all modalities, a MuData of these. Further covariates
        have their first category, or their average.

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
        if self.network_config.condition:
            msg = (
                f"{type(self).__name__} has no prior without its condition "
                f"({', '.join(self.network_config.condition)}): generate from cells that have it, "
                "or sample from MVAE or HZAUVAE."
            )
            raise ConfigError(msg)
        found = sampling.sample_prior(
            self.module,
            self.layout,
            self._generated if modality is None else [modality],
            n_samples,
            sampling.Draws(self.LATENT_KEY, give_mean, seed),
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
        """Draw a modality of new cells from what other modalities say.

        Parameters
        ----------
        modality
            Modality to draw.
        given
            Cells to infer from, with the registered batch and covariates. Cells that have labels
            only give cells with these labels.
        text
            In place of `given`: a text, or several, that the new cells are drawn from. Without
            `transform_batch` they take turns as cells of the batches that measured `modality`;
            covariates are the first category, or the mean.
        conditions
            Modalities of them to infer from; None for all but `modality`. With `text`, the text
            modality; None for the only one.
        n_samples
            New cells for each of them.
        give_mean
            Whether to return the decoder's means (of pixels: the grey values) in place of draws.
        transform_batch
            Batch or batches to decode as, in turns; by default as in :meth:`impute`.
        batch_size, seed
            As in :meth:`impute`.

        Returns
        -------
        AnnData of shape (cells x n_samples, features) in the data's units, draws of a cell one
        after another; ``obs["cell"]`` says of which cell or text, and ``obsm`` has the latents.
        Features of a draw belong together, unlike those of :meth:`impute`, which averages.

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
            msg = "generate takes either cells, given=, or words, text=. Give one of them."
            raise ConfigError(msg)
        names = check_given(self.layout, conditions, name="conditions")
        give_mean = check_flag("give_mean", give_mean)
        if text is not None:
            if names is not None and len(names) > 1:
                msg = f"A text is read by one modality. Received conditions={conditions!r}."
                raise ConfigError(msg)
            found = find_text_modality(self.layout, None if names is None else names[0])
            self._check_generated(modality)
            batches = self._turns(modality, transform_batch)
            # Encoders know the batch: texts are read as of one that has some.
            having = self._turns(found.name, None)
            read_as = next((batch for batch in batches if batch in having), having[0])
            given = cells_of_texts(self.layout, found, text_list(text), read_as)
            names, transform_batch = (found.name,), batches
        elif names is None:
            names = tuple(name for name in self.layout.names if name != modality)
        config = self._predictive(modality, names or None, n_samples, transform_batch, seed)
        if not names:
            msg = (
                f"{type(self).__name__} was set up with {modality!r} only: there is nothing to "
                "generate it from. Call sample, or set a system of several modalities up, such as "
                "MVAE."
            )
            raise ConfigError(msg)
        assert given is not None
        return sampling.sample_posterior(
            self._session(given, None, batch_size),
            config,
            sampling.Draws(self.LATENT_KEY, give_mean, config.seed),
        )

    def to_anndata(self, mdata: Cells = None, *, batch_size: int | None = None) -> AnnData:
        """Return all cells with their embedding as one AnnData, for scanpy.

        Returns
        -------
        AnnData without features: ``obs`` as in the MuData, plus ``modalities`` (what each cell has,
        such as ``"rna+adt"``), and what :meth:`annotate` writes.
        """
        store = self._session(mdata, None, batch_size).store
        source = self.adata if mdata is None else mdata
        obs = export.obs_of(store, source if isinstance(source, MuData) else None)
        annotations = self._annotations(store, batch_size)
        for key, column in self._columns(annotations).items():
            obs[key] = column
        return export.to_anndata(obs, store, annotations)

    def annotate(self, mdata: Cells = None, *, batch_size: int | None = None) -> None:
        """Write what is known of each cell into ``obsm`` of a MuData and of each modality.

        This is the one method that changes a MuData, at the user's request: it sets
        ``obsm["X_hzau"]``, the latents. HZAU-VAE adds gate weights, ``obsm["hzau_gate"]``, and, if
        it has seen failed measurements in training, ``obsm["hzau_reliability"]`` and, in ``obs`` of
        the MuData, ``"hzau_suspicious"``: the modalities of a cell that are more likely failed than
        not, such as ``"rna"``, empty for most cells. It also adds p-values of
        :meth:`get_agreement`, ``obsm["hzau_agreement"]``, and ``obs["hzau_disagreeing"]``: the
        pairs that agree as little as fewer than 1 in 100 good cells' do, such as
        ``"rna|protein"``. What an earlier model wrote under these names, and this one does not
        give, is removed. A store on disk gets what goes into ``obsm``, some cells at a time.

        Parameters
        ----------
        mdata
            MuData or store to write to; None for the training data.
        batch_size
            As in :meth:`get_latent_representation`.
        """
        source = self._store if mdata is None and self.adata is None else mdata
        if isinstance(source, DiskStore):
            # Read in the model's layout once, not anew for every block of cells.
            aligned = source.aligned(self.layout)
            export.annotate_store(
                aligned,
                lambda cells: self._annotations(aligned, batch_size, indices=cells),
                keys=self.ANNOTATIONS,
            )
            return
        # One view of the cells for all results: they are checked once.
        store = self._session(mdata, None, batch_size).store
        annotations = self._annotations(store, batch_size)
        target = self.adata if mdata is None else mdata
        if isinstance(target, MuData):
            columns = self._columns(annotations)
            export.annotate(target, store.obs_names, annotations, columns, keys=self.ANNOTATIONS)

    def _annotations(
        self, mdata: Cells, batch_size: int | None, indices: ArrayLike | None = None
    ) -> dict[str, NDArray[np.float32] | pd.DataFrame]:
        """Return what goes into ``obsm``."""
        latents = self.get_latent_representation(mdata, indices=indices, batch_size=batch_size)
        return {self.LATENT_KEY: latents}

    def _columns(self, annotations: Mapping[str, Any]) -> dict[str, list[str]]:
        """Return what follows from annotations and goes into ``obs``."""
        return {}

    def _turns(self, modality: str, transform_batch: str | Sequence[str] | None) -> Sequence[str]:
        """Return the batches that cells without one take turns as."""
        asked = batch_names(self.layout, transform_batch)
        if asked is not None:
            return asked
        measured = self.layout.modality(modality).measured
        return [self.layout.batch.categories[i] for i in np.flatnonzero(measured)]

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

    @property
    def _generated(self) -> list[str]:
        return [self.layout.names[m] for m in self.network_config.generated]

    def _check_generated(self, modality: str) -> None:
        self.layout.modality(modality)
        if modality not in self._generated:
            msg = (
                f"{type(self).__name__} generates {', '.join(self._generated)} given "
                f"{', '.join(self.network_config.condition)}, and does not predict {modality!r}. "
                "MVAE and HZAUVAE predict every modality."
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
