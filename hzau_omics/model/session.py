"""One pass over some cells with a trained network: what every result starts from."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from hzau_omics.data import CellStore, DataLayout
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.objective import ObjectiveConfig
from hzau_omics.nn.pools import ExactPool, Posterior


@dataclass(frozen=True)
class InferenceSession:
    """A network, the cells to look at, and how many of them at a time.

    Attributes
    ----------
    network
        Network in evaluation mode.
    store
        Cells of the training or of a held-out MuData.
    cells
        Positions of the wanted cells, in the wanted order.
    batch_size
        Cells per minibatch.
    """

    network: MultimodalVAE
    store: CellStore
    cells: NDArray[np.int64]
    batch_size: int

    @property
    def layout(self) -> DataLayout:
        """The registered layout."""
        return self.store.layout

    @property
    def obs_names(self) -> pd.Index:
        """Names of the wanted cells."""
        names: pd.Index[str] = self.store.obs_names[self.cells]
        return names

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.network.parameters()).device

    def __len__(self) -> int:
        """Return the number of wanted cells."""
        return len(self.cells)

    def minibatches(
        self, positions: NDArray[np.int64] | None = None, batch_size: int | None = None
    ) -> Iterator[tuple[NDArray[np.int64], Minibatch]]:
        """Yield (positions in the result, minibatch on the network's device)."""
        positions = np.arange(len(self)) if positions is None else positions
        size = batch_size or self.batch_size
        batches = self.store.minibatches(self.cells[positions], size)
        for start, batch in zip(range(0, len(positions), size), batches, strict=True):
            yield positions[start : start + size], batch.to(self.device)

    def parts(
        self, positions: NDArray[np.int64] | None = None
    ) -> Iterator[tuple[NDArray[np.int64], "InferenceSession"]]:
        """Yield parts that fit into memory, in order: their positions in the result, and a pass."""
        positions = np.arange(len(self)) if positions is None else positions
        start = 0
        for store, cells in self.store.parts(self.cells[positions]):
            stop = start + len(cells)
            yield positions[start:stop], replace(self, store=store, cells=cells)
            start = stop

    def seen(self, batch: Minibatch, given: Sequence[str] | None) -> Tensor:
        """Return the presence mask of a minibatch, reduced to the modalities `given`."""
        if given is None:
            return batch.present
        allowed = torch.tensor([name in given for name in self.layout.names])
        return batch.present & allowed.to(batch.present.device)

    def infer(self, batch: Minibatch, given: Sequence[str] | None) -> tuple[Encoded, Posterior]:
        """Return experts and pooled posterior of a minibatch."""
        encoded = self.network.encode(batch)
        seen = self.seen(batch, given)
        posterior = self.network.infer(encoded, seen)
        unknown = ~posterior.available.any(-1)
        unusable = unknown & seen.any(-1)
        if unusable.any():
            raise _no_posterior(self.network, seen[unusable])
        if self.network.config.condition:
            self._check_conditions(unknown)
        return encoded, posterior

    def _check_conditions(self, lacking: Tensor) -> None:
        if lacking.any():
            msg = (
                f"This model predicts given {', '.join(self.network.config.condition)}, and has no "
                f"prior without. {int(lacking.sum())} cells of a minibatch lack it, or given= "
                "leaves it out. Leave these cells out, or take a system with a prior: MVAE or "
                "HZAUVAE."
            )
            raise ConfigError(msg)


def check_patterns(network: MultimodalVAE, store: CellStore, objective: ObjectiveConfig) -> None:
    """Refuse cells whose modalities together have no posterior that training would need.

    Raises
    ------
    ConfigError
        There are such cells.
    """
    if not isinstance(network.pool, ExactPool):
        return
    patterns = torch.from_numpy(np.unique(store.present, axis=0))
    n_modalities = patterns.shape[1]
    inferred = [] if objective.is_mean else [patterns]
    if objective.terms in {"joint+singles", "singles"} and n_modalities > 1:
        inferred += [patterns & row for row in torch.eye(n_modalities, dtype=torch.bool)]
    random = objective.terms == "joint+singles" and objective.n_random_subsets > 0
    if objective.modality_dropout or objective.terms == "subsets" or (random and n_modalities > 2):
        # Any subset may be drawn; pairs of modalities stand for all that are not single or full.
        rows = list(torch.eye(n_modalities, dtype=torch.bool))
        inferred += [patterns & (a | b) for a in rows for b in rows]
    present = torch.cat(inferred).to(network.membership.device)
    unknown = present.any(-1) & ~network.pool.available(present).any(-1)
    if unknown.any():
        raise _no_posterior(network, present[unknown])


def _no_posterior(network: MultimodalVAE, present: Tensor) -> ConfigError:
    names = [name for name, has in zip(network.modalities, present[0].tolist(), strict=True) if has]
    return ConfigError(
        f"This model infers from {', '.join(network.family.names)} only, and has no posterior of "
        f"{'+'.join(names)}, which some cells have. Infer from one of these only (given=, or "
        "conditions= of generate), or take a system that combines experts: MVAE, MVAEQ or HZAUVAE."
    )


def check_given(layout: DataLayout, given: str | Sequence[str] | None) -> tuple[str, ...] | None:
    """Return `given` as a tuple of registered modalities, or None for all of them.

    Raises
    ------
    ConfigError
        If it is empty.
    DataContractError
        If it names a modality that is not registered.
    """
    if given is None:
        return None
    names = (given,) if isinstance(given, str) else tuple(given)
    if not names:
        msg = (
            "given lists the modalities to infer from, and must not be empty. "
            f"Leave it out to use all, or choose from {', '.join(layout.names)}."
        )
        raise ConfigError(msg)
    for name in names:
        layout.modality(name)
    return names


def check_count(name: str, value: int) -> None:
    """Refuse what is no positive integer.

    Raises
    ------
    ConfigError
        It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        msg = f"{name} must be at least 1, an integer. Received {value!r}."
        raise ConfigError(msg)


def check_choice(name: str, value: str, known: Sequence[str]) -> None:
    """Refuse what is not among the choices.

    Raises
    ------
    ConfigError
        It is not.
    """
    if value not in known:
        msg = f"{name} must be one of {known}. Received {value!r}."
        raise ConfigError(msg)


@contextmanager
def evaluating(network: MultimodalVAE) -> Iterator[None]:
    """Switch dropout and gradients off, and the former mode on again afterwards."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)


def make_generator(seed: int | None, device: torch.device) -> torch.Generator:
    """Return a random generator; without a seed it follows torch's global one."""
    generator = torch.Generator(device=device)
    drawn = int(torch.randint(2**31, ())) if seed is None else int(seed)
    return generator.manual_seed(drawn)
