"""The multimodal VAE: encoders, experts, pool, reliability model and decoders put together."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from hzau_omics.minibatch import Minibatch, Observed, SparseEntries
from hzau_omics.nn.added import added_parameters
from hzau_omics.nn.config import NetworkConfig
from hzau_omics.nn.decoding.decoder import ModalityDecoder
from hzau_omics.nn.decoding.library import log_of_total
from hzau_omics.nn.decoding.likelihoods.base import DecoderContext
from hzau_omics.nn.layers import AddedInputs, HiddenStack
from hzau_omics.nn.posterior.expert import SubsetExperts
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian
from hzau_omics.nn.posterior.points import ReferencePoints
from hzau_omics.nn.posterior.pools import POOLS, Posterior
from hzau_omics.nn.posterior.shared import SharedCoordinates
from hzau_omics.nn.posterior.subsets import SubsetFamily
from hzau_omics.nn.reliability.model import ReliabilityModel

MIN_SPARSE = 128
"""Number of features from which a sparse product is faster than a dense one."""


class Encoded(NamedTuple):
    """Output of the encoders for a minibatch, before any subset of modalities is chosen.

    Attributes
    ----------
    hidden
        Hidden features of each modality, of shape (cell, hidden).
    experts
        All experts, of shape (cell, expert, latent).
    reliability
        Log odds of each measurement's reliability (cell, modality); None without heads.
    """

    hidden: list[Tensor]
    experts: DiagonalGaussian
    reliability: Float[Tensor, "cell modality"] | None = None


class Reconstruction(NamedTuple):
    """Log likelihood of one modality for some rows of a minibatch, in nats per cell."""

    log_prob: Float[Tensor, " cell"]
    library_log_prob: Float[Tensor, " cell"]


class Decoded(NamedTuple):
    """One modality decoded for some rows of a minibatch, with its measured values.

    Attributes
    ----------
    decoder
        The modality's decoder.
    hidden
        Its hidden features (row, hidden).
    context
        Further inputs of its likelihood.
    observed
        The measured values.
    library_log_prob
        Log density of the log of the total counts, in nats; 0 without a library.
    """

    decoder: ModalityDecoder
    hidden: Float[Tensor, "row hidden"]
    context: DecoderContext
    observed: Observed
    library_log_prob: Float[Tensor, " row"]


class MultimodalVAE(nn.Module):
    """Modality encoders, subset experts, a pool, a reliability model and decoders."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        names = [m.name for m in config.modalities]
        self.family = (
            SubsetFamily.default(names)
            if config.experts is None
            else SubsetFamily(tuple(names), config.experts)
        )
        widths = [m.n_hidden or config.n_hidden for m in config.modalities]
        self.encoders = nn.ModuleList(
            HiddenStack(
                m.n_features,
                config.n_encoder_covariates,
                width,
                n_layers=m.n_layers or config.n_layers,
                dropout=config.encoder_dropout,
                input_dropout=m.input_dropout,
                n_added=config.n_added,
            )
            for m, width in zip(config.modalities, widths, strict=True)
        )
        make_pool = POOLS[config.pool]
        self.experts = SubsetExperts(
            self.family,
            widths,
            config.n_latent,
            dropout=config.encoder_dropout,
            logvar_range=make_pool.logvar_range,
            corrects=make_pool.builds_on_singles,
        )
        self.pool = make_pool(self.family, widths)
        self.shared = SharedCoordinates(self.family, config.n_latent)
        self.reliability = ReliabilityModel(
            [m.n_features for m in config.modalities],
            config.n_covariates,
            n_batches=config.n_batches,
            n_added=config.n_added,
            dropout=config.dropout,
            with_heads=make_pool.weighs_reliability,
        )
        self.decoders = nn.ModuleList(ModalityDecoder(m, config) for m in config.modalities)
        conditions = [i for i, m in enumerate(config.modalities) if m.name in config.condition]
        self.conditioners = nn.ModuleDict(
            {
                str(i): HiddenStack(
                    config.modalities[i].n_features,
                    config.n_covariates,
                    widths[i],
                    n_layers=config.modalities[i].n_layers or config.n_layers,
                    dropout=config.dropout,
                )
                for i in conditions
            }
        )
        for i in conditions:
            # Conditions are not decoded: only their likelihood's encoder input is used.
            self.decoder(i).requires_grad_(requires_grad=False)
        self._add_batches()
        self.membership: Tensor
        self.register_buffer("membership", self.family.membership(), persistent=False)

    def _add_batches(self) -> None:
        """Build what added batches have besides columns and rows, and freeze all else."""
        config = self.config
        self.points = ReferencePoints(self.family, config.n_latent) if config.n_added else None
        self.added_inputs = nn.ModuleDict()
        if not config.n_added:
            return
        for i, modality in enumerate(config.modalities):
            if modality.n_features < MIN_SPARSE:
                self.added_inputs[str(i)] = AddedInputs(modality.n_features, config.n_added)
        self.requires_grad_(requires_grad=False)
        for part in (self.encoders, self.added_inputs, self.decoders):
            for parameter in added_parameters(part):
                parameter.requires_grad = True

    @property
    def single_experts(self) -> tuple[int, ...]:
        """Position of each modality's own expert."""
        return tuple(self.family.subsets.index((name,)) for name in self.modalities)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Modality names in registered order."""
        return self.family.modalities

    def decoder(self, modality: int) -> ModalityDecoder:
        """Return the decoder of a modality by its position."""
        return cast("ModalityDecoder", self.decoders[modality])

    def covariates(self, batch: Minibatch) -> Float[Tensor, "cell covariate"]:
        """Return one-hot batch and categorical covariates, continuous ones, and added batches."""
        return self.covariates_of(batch.batch, batch.categorical, batch.continuous)

    def covariates_of(
        self, batch: Tensor, categorical: Tensor, continuous: Tensor
    ) -> Float[Tensor, "cell covariate"]:
        """Return the covariates of cells decoded as the given batches."""
        if not self.config.n_covariates:
            return continuous
        parts = []
        if self.config.n_first > 1:
            parts.append(self._batch_inputs(batch))
        for i, n in enumerate(self.config.n_categories):
            parts.append(_one_hot(categorical[:, i], n))
        parts.append(continuous)
        if self.config.n_added:
            parts.append(_one_hot(batch - self.config.n_first, self.config.n_added))
        return torch.cat([p.to(continuous.dtype) for p in parts], dim=-1)

    def _batch_inputs(self, codes: Int[Tensor, " cell"]) -> Float[Tensor, "cell batch"]:
        """Return one column per first batch: 1 for the cell's own, 1 / n each for unknown ones."""
        n = self.config.n_first
        unknown = (codes >= self.config.n_batches).unsqueeze(1)
        return _one_hot(codes, n).float() + unknown / n

    def decoder_covariates(
        self, batch: Minibatch, codes: Int[Tensor, " cell"] | None = None
    ) -> Float[Tensor, "cell covariate"]:
        """Return the decoders' inputs besides the latent, for cells decoded as batches `codes`."""
        codes = batch.batch if codes is None else codes
        covariates = self.covariates_of(codes, batch.categorical, batch.continuous)
        conditions = [
            stack(self._encoder_input(int(i), batch), covariates)
            for i, stack in self.conditioners.items()
        ]
        return torch.cat([covariates, *conditions], dim=-1) if conditions else covariates

    def prior(self, encoded: Encoded) -> DiagonalGaussian | None:
        """Return p(z | conditions) of each cell; None, for N(0, I), without conditions."""
        if not self.config.condition:
            return None
        expert = self.family.subsets.index(self.config.condition)
        return DiagonalGaussian(*(part[:, expert] for part in encoded.experts))

    def encode(self, batch: Minibatch) -> Encoded:
        """Return hidden features and all experts of each cell."""
        covariates = self.covariates(batch)
        inputs = self._encoder_inputs(batch)
        hidden = [encoder(x, covariates) for encoder, x in zip(self.encoders, inputs, strict=True)]
        reliability = None
        if self.reliability.has_heads:
            reliability = self.reliability(inputs, covariates)
        return Encoded(hidden, self.experts(hidden), reliability)

    def encode_again(
        self, encoded: Encoded, batch: Minibatch, inputs: Mapping[int, Float[Tensor, "cell _"]]
    ) -> Encoded:
        """Return an encoding of the same cells with other encoder inputs of some modalities."""
        covariates = self.covariates(batch)
        hidden = list(encoded.hidden)
        columns = None if encoded.reliability is None else list(encoded.reliability.unbind(-1))
        for m, x in inputs.items():
            hidden[m] = self.encoders[m](x, covariates)
            if columns is not None:
                columns[m] = self.reliability.head_log_odds(m, x, covariates)
        reliability = None if columns is None else torch.stack(columns, dim=-1)
        return Encoded(hidden, self.experts(hidden), reliability)

    def head_log_odds(self, batch: Minibatch, modality: int) -> Float[Tensor, " cell"]:
        """Return the log odds of one modality's reliability head, for its training."""
        x = self._encoder_input(modality, batch)
        return self.reliability.head_log_odds(modality, x, self.covariates(batch))

    def encoder_input(self, modality: int, batch: Minibatch) -> Float[Tensor, "cell feature"]:
        """Return what a modality's encoder sees of some cells; 0 for what was not measured."""
        x = self._changed_input(modality, batch)
        return x.dense() if isinstance(x, SparseEntries) else x

    def _encoder_inputs(self, batch: Minibatch) -> list[Tensor | SparseEntries]:
        return [self._changed_input(i, batch) for i in range(len(self.modalities))]

    def _changed_input(self, modality: int, batch: Minibatch) -> Tensor | SparseEntries:
        """Return an encoder's input, which added batches may change."""
        x = self._encoder_input(modality, batch)
        if str(modality) not in self.added_inputs:
            return x
        which = _one_hot(batch.batch - self.config.n_first, self.config.n_added)
        changed: Tensor = self.added_inputs[str(modality)](x, which.to(batch.continuous.dtype))
        return changed

    def _encoder_input(self, modality: int, batch: Minibatch) -> Tensor | SparseEntries:
        name = self.modalities[modality]
        likelihood = self.decoder(modality).likelihood
        sparse = batch.sparse.get(name)
        if sparse is not None and likelihood.keeps_zeros and likelihood.n_features >= MIN_SPARSE:
            # Unmeasured values have no entries: there is nothing to mask.
            return sparse._replace(value=likelihood.encoder_input(sparse.value))
        measured = batch.present[:, modality : modality + 1]
        if name in batch.feature_mask:
            measured = measured & batch.feature_mask[name]
        return torch.where(measured, likelihood.encoder_input(batch.x[name]), 0.0)

    def infer(self, encoded: Encoded, present: Bool[Tensor, "*subset cell modality"]) -> Posterior:
        """Pool the experts of the modalities in `present` into one posterior.

        With a leading axis of subsets, return one posterior for each.
        """
        out: Posterior = self.pool(encoded.hidden, encoded.experts, present, encoded.reliability)
        return out

    def place(
        self, mean: Float[Tensor, "cell latent"], seen: Bool[Tensor, "cell modality"]
    ) -> Float[Tensor, "cell latent"]:
        """Return posterior means given the modalities in `seen`, in shared coordinates."""
        points: Tensor = self.shared(mean, seen)
        return points

    def infer_term(
        self, encoded: Encoded, present: Bool[Tensor, "*subset cell modality"]
    ) -> Posterior:
        """Return the posterior that a term of the objective infers from `present`."""
        return self.pool.term(encoded.hidden, encoded.experts, present, encoded.reliability)

    def reconstruct(
        self,
        z: Float[Tensor, "row latent"],
        batch: Minibatch,
        cells: Int[Tensor, " chosen"] | None,
        modality: int,
        *,
        seen: Bool[Tensor, " row"] | None = None,
        covariates: Float[Tensor, "cell _"] | None = None,
    ) -> Reconstruction:
        """Log likelihood of one modality of the cells `cells` (indices into `batch`) given `z`.

        The indices are on the CPU, and every cell must have the modality. `z` has one row for each
        of them, in order, or several times over; None stands for all cells. Unmeasured features do
        not count. `seen` says whether the posterior of `z` was inferred from the modality; None if
        it always was. `covariates` are the decoders' further inputs, if they are known already.
        """
        decoded = self.decode(z, batch, cells, modality, seen=seen, covariates=covariates)
        log_prob = decoded.decoder.likelihood.cell_log_prob(
            decoded.hidden, decoded.context, decoded.observed
        )
        return Reconstruction(log_prob, decoded.library_log_prob)

    def decode(
        self,
        z: Float[Tensor, "row latent"],
        batch: Minibatch,
        cells: Int[Tensor, " chosen"] | None,
        modality: int,
        *,
        seen: Bool[Tensor, " row"] | None = None,
        covariates: Float[Tensor, "cell _"] | None = None,
    ) -> Decoded:
        """Decode one modality of the cells `cells`; parameters as in :meth:`reconstruct`."""
        decoder = self.decoder(modality)
        repeats = len(z) // max(len(batch) if cells is None else len(cells), 1)
        observed = batch.observed(self.modalities[modality], cells, max(repeats, 1))
        covariates = self.decoder_covariates(batch) if covariates is None else covariates
        # Without covariates there is nothing to put beside `z`.
        covariates = observed.rows_of(covariates) if covariates.shape[1] else z[:, :0]
        hidden = decoder.hidden(z, covariates)
        library = decoder.library(hidden)
        log_library, library_log_prob = None, z.new_zeros(z.shape[0])
        if library is not None:
            total = log_of_total(observed.total)
            log_library = total if decoder.library_is_observed else library.mean
            library_log_prob = library.log_prob(total)
        context = decoder.context(
            log_library,
            batch=observed.rows_of(batch.batch.unsqueeze(1)).squeeze(1),
            covariates=covariates,
            feature_mask=observed.mask,
            seen=None if seen is None else seen.unsqueeze(-1),
        )
        return Decoded(decoder, hidden, context, observed, library_log_prob)

    def log_likelihoods(
        self,
        z: Float[Tensor, "*sample cell latent"],
        batch: Minibatch,
        modalities: Sequence[int] | None = None,
    ) -> Float[Tensor, "*sample cell modality"]:
        """Log p(x_m | z) of each modality in nats per cell; NaN where a cell lacks it.

        `modalities` selects modalities by position, by default all that are decoded; the others
        are NaN.
        """
        shape = (*z.shape[:-1], len(self.modalities))
        result = torch.full(shape, torch.nan, device=z.device)
        for m in self.config.generated if modalities is None else modalities:
            cells = batch.present_on_host[:, m].nonzero().squeeze(-1)
            row = cells.to(z.device, non_blocking=True)
            chosen = z[..., row, :]
            repeated = cells.repeat(chosen[..., 0].numel() // max(len(cells), 1))
            log_prob = self.reconstruct(chosen.flatten(0, -2), batch, repeated, m).log_prob
            result[..., row, m] = log_prob.view(chosen.shape[:-1])
        return result


def _one_hot(codes: Int[Tensor, " cell"], n: int) -> Bool[Tensor, "cell category"]:
    """Return one column per category; torch's own looks at the codes, which a GPU waits for."""
    return codes.unsqueeze(1) == torch.arange(n, device=codes.device)
