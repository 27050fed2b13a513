"""HZAU-VAE, totalVI and MultiVI behind one interface: train, and score held-out cells."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any, Literal, override

import numpy as np
import torch
from mudata import MuData
from scipy.sparse import issparse

from hzau_omics.errors import ConfigError

OURS = ("hzau-vae", "hzau-vae-float32")

type Score = Callable[[], dict[str, float]]
"""Gives the negative log likelihood of each modality, in nats per cell (lower is better)."""


class Method(ABC):
    """A model on its training cells.

    Parameters
    ----------
    mdata
        Training cells, of which the method takes its own validation and calibration cells.
    seed
        Seed of initial weights, split, order and noise.
    """

    def __init__(self, mdata: MuData, seed: int) -> None:
        self.seed = seed
        self.model: Any = self.build(mdata)

    @abstractmethod
    def build(self, mdata: MuData) -> Any:
        """Return the model, not trained."""

    @abstractmethod
    def train(self, epochs: int | None, **options: Any) -> None:
        """Train for some epochs, or with None for as long as the method does by default."""

    @abstractmethod
    def scorer(self, cells: MuData) -> Score:
        """Return what scores held-out cells given all their modalities, with the same noise."""

    def averaged(self, plan: Any) -> AbstractContextManager[Any]:
        """Put the weights into place that the method would be left with if it stopped now."""
        return nullcontext(plan)

    def epochs(self) -> int:
        """Return how many epochs were trained."""
        return len(self.model.history["elbo_train"])


class HZAU(Method):
    """HZAU-VAE.

    Parameters
    ----------
    precision
        As in its `train`.
    """

    def __init__(
        self, mdata: MuData, seed: int, *, precision: Literal["auto", "32-true"] = "auto"
    ) -> None:
        self.precision = precision
        super().__init__(mdata, seed)

    @override
    def build(self, mdata: MuData) -> Any:
        from hzau_omics.data import ModalitySpec
        from hzau_omics.model import HZAUVAE

        peaks = ModalitySpec(likelihood="bernoulli", binarize=True)
        HZAUVAE.setup_mudata(mdata, {m: peaks if m == "atac" else "nb" for m in mdata.mod})
        return HZAUVAE(mdata)

    @override
    def train(self, epochs: int | None, **options: Any) -> None:
        self.model.train(
            epochs,
            seed=self.seed,
            precision=self.precision,
            enable_progress_bar=False,
            **options,
        )

    @override
    def scorer(self, cells: MuData) -> Score:
        # The public method refuses models that are not trained, and so those in training.
        from hzau_omics.data import MosaicStore
        from hzau_omics.model.answers.scores import elbo_terms
        from hzau_omics.model.session import InferenceSession

        store = MosaicStore(cells, self.model.layout)

        def score() -> dict[str, float]:
            session = InferenceSession(
                self.model.module, store, np.arange(store.n_cells), store.n_cells
            )
            _, log_prob = elbo_terms(session, n_samples=1, seed=0)
            found = -np.nanmean(log_prob, axis=0)
            return dict(zip(self.model.layout.names, found.tolist(), strict=True))

        return score

    @override
    def averaged(self, plan: Any) -> AbstractContextManager[Any]:
        context: AbstractContextManager[Any] = plan.averaged()
        return context


class Peer(Method):
    """What totalVI and MultiVI have in common.

    Attributes
    ----------
    modalities
        RNA, then the other one, as the parts of the likelihood are ordered.
    """

    modalities: tuple[str, str]

    def __init__(self, mdata: MuData, seed: int) -> None:
        import scvi

        scvi.settings.seed = seed
        super().__init__(mdata, seed)

    @override
    def train(self, epochs: int | None, **options: Any) -> None:
        # Without early stopping MultiVI validates only at the end; ours does after every epoch.
        self.model.train(epochs, check_val_every_n_epoch=1, enable_progress_bar=False, **options)

    @override
    def scorer(self, cells: MuData) -> Score:
        self.adapt(cells)
        return partial(self._score, cells)

    def adapt(self, mdata: MuData) -> None:
        """Change cells so that the method does not refuse them."""

    def _score(self, cells: MuData) -> dict[str, float]:
        was_training = self.model.module.training
        self.model.module.eval()
        try:
            with torch.random.fork_rng():
                torch.manual_seed(0)
                found = self.model.get_reconstruction_error(cells, batch_size=cells.n_obs)
        finally:
            self.model.module.train(was_training)
        # MultiVI gives a third part, 0, for protein that was not registered.
        values = [float(np.mean(np.asarray(value.cpu()))) for value in found.values()]
        return dict(zip(self.modalities, values, strict=False))


class TotalVI(Peer):
    """totalVI on RNA and the other modality."""

    @override
    def build(self, mdata: MuData) -> Any:
        import scvi

        self.modalities = ("rna", next(m for m in mdata.mod if m != "rna"))
        self.adapt(mdata)
        layers = dict(zip(("rna_layer", "protein_layer"), self.modalities, strict=True))
        scvi.model.TOTALVI.setup_mudata(mdata, modalities=layers)
        return scvi.model.TOTALVI(mdata)

    @override
    def adapt(self, mdata: MuData) -> None:
        protein = mdata[self.modalities[1]]
        if issparse(protein.X):
            protein.X = np.asarray(protein.X.toarray())


class MultiVI(Peer):
    """MultiVI on RNA and ATAC."""

    modalities = ("rna", "atac")

    @override
    def build(self, mdata: MuData) -> Any:
        import scvi

        layers = dict(zip(("rna_layer", "atac_layer"), self.modalities, strict=True))
        scvi.model.MULTIVI.setup_mudata(mdata, modalities=layers)
        rna, atac = (mdata[m].n_vars for m in self.modalities)
        return scvi.model.MULTIVI(mdata, n_genes=rna, n_regions=atac)

    @override
    def adapt(self, mdata: MuData) -> None:
        # Its setup adds this column to the training cells; other cells are refused without it.
        mdata.obs["_indices"] = np.arange(mdata.n_obs)


METHODS: Mapping[str, Callable[[MuData, int], Method]] = {
    "hzau-vae": HZAU,
    "hzau-vae-float32": partial(HZAU, precision="32-true"),
    "totalvi": TotalVI,
    "multivi": MultiVI,
}


def choose_methods(against: str | None, modalities: Sequence[str]) -> tuple[str, ...]:
    """Choose ours and a peer, by modality unless one is named.

    Raises
    ------
    ConfigError
        If the peer is unknown.
    """
    if against is None:
        against = "multivi" if "atac" in modalities else "totalvi"
    if against == "none":
        return OURS
    if against not in set(METHODS) - set(OURS):
        message = f"--against takes totalvi, multivi or none. Received {against!r}."
        raise ConfigError(message)
    return (*OURS, against)
