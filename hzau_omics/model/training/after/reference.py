"""The reference: posteriors of training cells, and what is calibrated on them."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hzau_omics.data import CellStore, DiskStore, MosaicStore
from hzau_omics.data.changes.identity import CellIdentity
from hzau_omics.data.contract.columns.category import distinct
from hzau_omics.model.answers.comparison import Comparison, Group
from hzau_omics.model.reference import (
    MAX_REFERENCE,
    Reference,
    Subset,
    View,
    having,
    inferable_sets,
)
from hzau_omics.model.session import InferenceSession, evaluating
from hzau_omics.model.training.after import labels, novelty, states
from hzau_omics.model.training.trained import Trained
from hzau_omics.nn.network import MultimodalVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian

BATCH_SIZE = 512

MAX_CALIBRATION = 2000
"""Most calibration cells: no p-value is below 1 / 2001."""

MIN_OF_LABEL = 20
"""Cells of each label that are kept in any case, so that rare labels are not lost."""


def reset(network: MultimodalVAE) -> dict[str, Any]:
    """Drop the reference: it belongs to the former weights."""
    return {"reference_": None}


def calibrate(trained: Trained) -> dict[str, Any]:
    """Infer the reference cells, and learn from them (docs/method.md, equations 43 to 45).

    Returns
    -------
    ``reference_``: the reference. It has a view for each set of modalities that at least two
    training cells have.
    """
    network, store = trained.network, trained.store
    codes = label_codes(store)
    cells = choose_cells(trained.training, codes[trained.training])
    modalities = tuple(network.modalities)
    sets = [
        given
        for given in inferable_sets(network)
        if len(having(store.present[cells], modalities, given)) > 1
    ]
    views = {
        given: View(DiagonalGaussian(q.mean.half().cpu(), q.logvar.half().cpu()))
        for given, (_, q) in _posteriors(network, store, cells, sets).items()
    }
    names = CellIdentity.of(store.obs_names[cells], None).names
    reference = Reference(names, codes[cells], store.present[cells], modalities, views)
    comparison = Comparison(reference, network)
    n_labels = 0 if store.layout.labels is None else store.layout.labels.n_categories
    rng = np.random.default_rng(trained.seed)
    asked = np.sort(rng.permutation(trained.calibration)[:MAX_CALIBRATION])
    for given, (rows, q) in _posteriors(network, store, asked, sets).items():
        device = q.mean.device
        outside = torch.full((len(rows),), -1, device=device)
        group = Group(given, torch.from_numpy(rows), q, outside)
        own = torch.from_numpy(codes[asked[rows]]).to(device)
        views[given] = replace(
            views[given],
            votes=labels.learned(comparison, group, own, n_labels),
            distances=novelty.learned(comparison, group),
        )
    shifts = None
    if trained.mixes:
        batch = store.batch[cells].astype(np.int64)
        shifts = states.learned(reference, batch, network, trained.seed)
    return {"reference_": replace(reference, views=views, shifts=shifts)}


def label_codes(store: CellStore) -> NDArray[np.int64]:
    """Return the label code of every cell, -1 where it has none."""
    layout = store.layout.labels
    if layout is not None and isinstance(store, MosaicStore):
        return store.labels
    if layout is not None and isinstance(store, DiskStore):
        return distinct(store.obs(str(layout.key))).codes(layout.categories)
    return np.full(store.n_cells, -1, dtype=np.int64)


def choose_cells(
    cells: NDArray[np.int64], codes: NDArray[np.int64], most: int = MAX_REFERENCE
) -> NDArray[np.int64]:
    """Return at most `most` cells, in ascending order, with labels in their proportions.

    Of each label the first 20 cells of a random order are always among them.
    """
    if len(cells) <= most:
        return cells
    order = np.random.default_rng(0).permutation(len(cells))
    order = order[np.argsort(codes[order], kind="stable")]
    rank = np.arange(len(order)) - np.searchsorted(codes[order], codes[order])
    first = (rank < MIN_OF_LABEL) & (codes[order] >= 0)
    rest = order[~first]
    n_rest = max(most - int(first.sum()), 0)
    spread = rest[np.linspace(0, len(rest) - 1, n_rest).round().astype(int)]
    return np.sort(cells[np.concatenate([order[first], spread])])


def _posteriors(
    network: MultimodalVAE, store: CellStore, cells: NDArray[np.int64], sets: Iterable[Subset]
) -> dict[Subset, tuple[NDArray[np.int64], DiagonalGaussian]]:
    """Return, for each set, which cells have it all and their posteriors; all in one pass."""
    names = tuple(network.modalities)
    rows_of = {given: having(store.present[cells], names, given) for given in sets}
    session = InferenceSession(network, store, cells, BATCH_SIZE)
    found = {
        given: DiagonalGaussian(
            *torch.zeros(2, len(rows), network.config.n_latent, device=session.device)
        )
        for given, rows in rows_of.items()
    }
    with evaluating(network):
        for rows, batch in session.minibatches():
            encoded = network.encode(batch)
            for given, of_set in rows_of.items():
                mask = torch.tensor([name in given for name in names], device=session.device)
                q, own = network.infer(encoded, batch.present & mask).q, found[given]
                inside = np.isin(rows, of_set)
                place = torch.from_numpy(np.searchsorted(of_set, rows[inside]))
                which = torch.from_numpy(np.flatnonzero(inside))
                own.mean[place], own.logvar[place] = q.mean[which], q.logvar[which]
    return {given: (rows_of[given], q) for given, q in found.items()}
