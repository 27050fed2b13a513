"""A pass over some cells with a trained network: what every answer starts from."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from hzau_omics._settings import settings
from hzau_omics.checks import check_names, check_positions, check_seed, if_given, shown
from hzau_omics.data import CellStore, DataLayout
from hzau_omics.errors import ConfigError
from hzau_omics.minibatch import Minibatch, SparseEntries
from hzau_omics.model.adaptation import Adaptation
from hzau_omics.model.states import ShiftsOfCells
from hzau_omics.nn.network import Encoded, MultimodalVAE
from hzau_omics.nn.objective.config import ObjectiveConfig
from hzau_omics.nn.posterior.pools import ExactPool, Posterior

CELLS_HELD = 65_536
"""Cells of a store on disk whose results are held in memory at a time."""


@dataclass(frozen=True)
class InferenceSession:
    """A network, the cells that it is applied to, and how many of them at a time.

    Attributes
    ----------
    network
        Network in evaluation mode.
    store
        Cells of the training or of a held-out MuData.
    cells
        Positions of the cells, in the order of the results.
    batch_size
        Cells per minibatch.
    adaptation
        How cells of new batches are inferred; None to infer all cells alike.
    shifts
        Shifts of groups of cells, which their points are freed of; None to leave points where they
        are.
    """

    network: MultimodalVAE
    store: CellStore
    cells: NDArray[np.int64]
    batch_size: int
    adaptation: Adaptation | None = None
    shifts: ShiftsOfCells | None = None

    @property
    def layout(self) -> DataLayout:
        """The registered layout."""
        return self.store.layout

    @property
    def obs_names(self) -> pd.Index:
        """Names of the cells, in the order of the results."""
        names: pd.Index[str] = self.store.obs_names[self.cells]
        return names

    @property
    def device(self) -> torch.device:
        """Device of the network."""
        return next(self.network.parameters()).device

    def __len__(self) -> int:
        """Return the number of cells."""
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
        """Yield parts that fit into memory, in order: positions in the result, and a session."""
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

    def _with_values_of(self, batch: Minibatch, given: Sequence[str] | None) -> Minibatch:
        """Return a minibatch without the sparse values of other modalities, to encode it faster."""
        if given is None:
            return batch
        kept = {
            name: entries if name in given else _without_entries(entries)
            for name, entries in batch.sparse.items()
        }
        return replace(batch, sparse=kept)

    def infer(self, batch: Minibatch, given: Sequence[str] | None) -> tuple[Encoded, Posterior]:
        """Return experts and pooled posterior of a minibatch."""
        batch, seen = self._with_values_of(batch, given), self.seen(batch, given)
        if self.adaptation is None:
            encoded = self.network.encode(batch)
            return encoded, self.checked(self.network.infer(encoded, seen), seen)
        encoded, posterior = self.adaptation.infer(batch, seen)
        return encoded, self.checked(posterior, seen)

    def inference(self, batch: Minibatch) -> Callable[[Tensor], Posterior]:
        """Return a function that gives the posterior of a minibatch from any of its modalities.

        The function takes a boolean tensor (cell, modality). Cells are encoded once.
        """
        if self.adaptation is None:
            return partial(self.network.infer, self.network.encode(batch))
        adaptation, known = self.adaptation, dict[bytes, Posterior]()

        def infer(seen: Tensor) -> Posterior:
            key = seen.cpu().numpy().tobytes()
            if key not in known:
                known[key] = adaptation.infer(batch, seen)[1]
            return known[key]

        return infer

    def place(self, mean: Tensor, batch: Minibatch, seen: Tensor) -> Tensor:
        """Return posterior means given the modalities in `seen`, in shared coordinates."""
        points = self.network.place(mean, seen)
        return points if self.shifts is None else self.shifts.without(points, batch.batch, seen)

    def checked(self, posterior: Posterior, seen: Tensor) -> Posterior:
        """Return a posterior given the modalities in `seen` (cell, modality), if it is one.

        Raises
        ------
        ConfigError
            The system has no posterior given the modalities of some cells, or a condition is
            missing.
        """
        unknown = ~posterior.available.any(-1)
        unusable = unknown & seen.any(-1)
        if unusable.any():
            remedy = (
                "Pass one of these as given= (conditions= of generate), or, to a method without "
                "it, cells with one of these only (mdata=...)"
            )
            raise _no_posterior(self.network, seen[unusable], "which some cells have", remedy)
        if self.network.config.condition:
            self._check_conditions(unknown)
        return posterior

    def _check_conditions(self, lacking: Tensor) -> None:
        if lacking.any():
            msg = (
                f"This model predicts given {', '.join(self.network.config.condition)}, and has no "
                f"prior without it. Received {int(lacking.sum())} cells in a minibatch that lack "
                "it, or given= without it. Leave these cells out, name it in given=, or take a "
                "system that needs no condition: MVAE or HZAUVAE."
            )
            raise ConfigError(msg)


def shared_points(session: InferenceSession, given: Sequence[str] | None) -> NDArray[np.float32]:
    """Return the point of each cell in shared coordinates, of shape (cell, latent)."""
    points = np.zeros((len(session), session.network.config.n_latent), np.float32)
    with evaluating(session.network):
        for rows, batch in session.minibatches():
            mean = session.infer(batch, given)[1].q.mean
            points[rows] = session.place(mean, batch, session.seen(batch, given)).cpu().numpy()
    return points


def _without_entries(entries: SparseEntries) -> SparseEntries:
    """Return as many rows that are all 0."""
    row, feature, value = entries.row[:0], entries.feature[:0], entries.value[:0]
    return SparseEntries(torch.zeros_like(entries.start), row, feature, value, entries.n_features)


def check_patterns(network: MultimodalVAE, store: CellStore, objective: ObjectiveConfig) -> None:
    """Refuse cells and options for which training would need a posterior that does not exist.

    Raises
    ------
    ConfigError
        The system has no posterior given the modalities of some cells, or given a subset of them
        that the options of the objective infer from.
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
    of_cells = not objective.is_mean and bool(unknown[: len(patterns)].any())
    if unknown.any() and of_cells:
        remedy = "Leave these cells out"
        raise _no_posterior(network, present[unknown], "which some cells have", remedy)
    if unknown.any():
        remedy = "Leave terms, n_random_subsets and modality_dropout out of plan_kwargs"
        raise _no_posterior(network, present[unknown], "which these options infer from", remedy)


def _no_posterior(network: MultimodalVAE, present: Tensor, reason: str, remedy: str) -> ConfigError:
    """Return the error for presence masks without a posterior, of which it names the first."""
    names = [name for name, has in zip(network.modalities, present[0].tolist(), strict=True) if has]
    return ConfigError(
        f"This model infers from {', '.join(network.family.names)} only, and has no posterior of "
        f"{'+'.join(names)}, {reason}. {remedy}; or take a system that combines experts: MVAE, "
        "MVAEQ or HZAUVAE."
    )


def check_given(
    layout: DataLayout, given: str | Sequence[str] | None, *, name: str = "given"
) -> tuple[str, ...] | None:
    """Return `given` as a tuple of registered modalities, or None for all of them.

    Raises
    ------
    ConfigError
        If it is empty, or names one twice.
    DataContractError
        If it names a modality that is not registered.
    """
    if given is None:
        return None
    names = check_names(name, given, what="modality")
    for one in names:
        layout.modality(one)
    return names


def find_cells(indices: ArrayLike | None, store: CellStore) -> NDArray[np.int64]:
    """Return positions of cells in a store: of all for None.

    Raises
    ------
    ConfigError
        They are neither positions nor a mask, one occurs twice, or a mask with an index is not in
        the order of the cells.
    """
    if indices is None:
        return np.arange(store.n_cells)
    if isinstance(indices, pd.Series) and pd.api.types.is_bool_dtype(indices.dtype):
        ordered = isinstance(indices.index, pd.RangeIndex) or indices.index.equals(store.obs_names)
        if len(indices) == store.n_cells and not ordered:
            msg = (
                "A mask with an index must have the cells' names in their order. Received one "
                f"with {shown(list(indices.index[:2]))} first. Write mask.reindex(mdata.obs_names)."
            )
            raise ConfigError(msg)
    return check_positions("indices", indices, store.n_cells)


def spans(n_cells: int, size: int) -> Iterator[NDArray[np.int64]]:
    """Split positions of cells into runs of `size`, whose results are held in memory in turn."""
    for start in range(0, n_cells, size):
        yield np.arange(start, min(start + size, n_cells))


@contextmanager
def evaluating(network: MultimodalVAE) -> Iterator[None]:
    """Turn dropout and gradients off, and restore the former mode afterwards."""
    was_training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        network.train(was_training)


def make_generator(seed: int | None, device: torch.device) -> torch.Generator:
    """Return a random generator; without a seed it follows `draw_seed`."""
    generator = torch.Generator(device=device)
    return generator.manual_seed(draw_seed(seed))


def draw_seed(seed: int | None) -> int:
    """Return a seed as it is; else that of the settings, or one of torch's global generator.

    Raises
    ------
    ConfigError
        It is not a seed.
    """
    given = if_given(check_seed, "seed", settings.seed if seed is None else seed)
    return int(torch.randint(2**31, ())) if given is None else given
