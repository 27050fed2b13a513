"""All measures of one embedding, each with a value or with the reason why there is none."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pandas as pd

from benchmarks.common.long_form import Measured
from benchmarks.common.scores import NEIGHBOURS
from benchmarks.integration.methods.exchange import RNA, Embedding
from benchmarks.integration.methods.preprocessing import rna_components
from benchmarks.integration.neighbours import (
    foscttm,
    label_accuracy,
    nearest,
    nearest_elsewhere,
    shares_elsewhere,
)
from benchmarks.integration.scib import (
    BATCH_METRICS,
    LABEL_METRICS,
    TOTALS,
    graph_metrics,
    ilisi,
    integration_metrics,
)
from benchmarks.integration.tasks import TaskData

MOST_SCORED = 5_000
"""Cells that scib-metrics scores at most; drawn with seed 0."""
NO_POINTS = "it gives neighbours, no embedding"


def metric_names(data: TaskData) -> list[str]:
    """Return the names of all measures of a task."""
    found = [*LABEL_METRICS, *BATCH_METRICS, *TOTALS, "iLISI, all cells"]
    found += ["label accuracy", "label accuracy, other batches"]
    found += [f"FOSCTTM {pair}" for pair in _pairs(data)]
    for name in data.cells.batches:
        found += [f"other batches, {name}", f"even share, {name}"]
    return [*found, "seconds", "processor seconds", "memory, GB"]


def measure(found: Embedding, data: TaskData) -> list[Measured]:
    """Measure an embedding.

    scib-metrics see cells of known type, at most 5,000 of them; all else sees all cells.
    """
    return [*_scib(found, data), *_neighbourhoods(found, data), *_matches(found, data)]


def _scib(found: Embedding, data: TaskData) -> Iterator[Measured]:
    if found.joint is None:
        yield from _scib_of_lists(found, data)
        return
    rows = scored_cells(data.labels)
    cells = data.cells
    common = not cells.mosaic and RNA in cells.modalities
    table = integration_metrics(
        found.joint[rows],
        data.labels[rows],
        cells.batch[rows],
        before=rna_components(cells, 0)[rows] if common else None,
    )
    yield from _rows_of(table)
    if not common:
        yield Measured(metric="PCR comparison", reason="a mosaic has no matrix common to all cells")
    yield Measured(metric="iLISI, all cells", value=ilisi(found.joint, cells.batch))


def _scib_of_lists(found: Embedding, data: TaskData) -> Iterator[Measured]:
    near, distances = found.neighbours, found.distances
    assert near is not None
    assert distances is not None
    known = np.flatnonzero(data.labels != "")
    near, distances = among(near, distances, known)
    names = [*LABEL_METRICS, *BATCH_METRICS, *TOTALS, "iLISI, all cells"]
    if near.shape[1] >= NEIGHBOURS:
        batch = data.cells.batch[known]
        table = graph_metrics(near, distances, data.labels[known], batch)
        yield from _rows_of(table)
        names = [name for name in names if name not in set(table["metric"])]
    for name in names:
        yield Measured(metric=name, reason=NO_POINTS)


def _rows_of(table: pd.DataFrame) -> Iterator[Measured]:
    for metric, value in zip(table["metric"], table["value"], strict=True):
        yield Measured(metric=str(metric), value=float(value))


def _neighbourhoods(found: Embedding, data: TaskData) -> Iterator[Measured]:
    batch = data.cells.batch
    if found.joint is not None:
        near = nearest(found.joint)
        elsewhere = label_accuracy(nearest_elsewhere(found.joint, batch), data.labels)
        yield Measured(metric="label accuracy, other batches", value=elsewhere)
    else:
        assert found.neighbours is not None
        near = found.neighbours[:, :NEIGHBOURS]
        yield Measured(metric="label accuracy, other batches", reason=NO_POINTS)
    yield Measured(metric="label accuracy", value=label_accuracy(near, data.labels))
    for name, (share, even) in shares_elsewhere(near, batch).items():
        yield Measured(metric=f"other batches, {name}", value=share)
        yield Measured(metric=f"even share, {name}", value=even)


def _matches(found: Embedding, data: TaskData) -> Iterator[Measured]:
    for pair in _pairs(data):
        one, other = pair.split("-")
        rows = data.cells.present[one] & data.cells.present[other]
        metric = f"FOSCTTM {pair}"
        if not {one, other} <= set(found.alone):
            yield Measured(metric=metric, reason="it does not embed modalities apart")
        elif not rows.any():
            yield Measured(metric=metric, reason="no cell has both modalities")
        else:
            value = foscttm(found.alone[one][rows], found.alone[other][rows])
            yield Measured(metric=metric, value=value)


def _pairs(data: TaskData) -> list[str]:
    return [f"{one}-{other}" for one, other in combinations(data.cells.modalities, 2)]


def scored_cells(labels: np.ndarray, most: int = MOST_SCORED) -> np.ndarray:
    """Return positions of cells of known type, at most so many of them, drawn with seed 0."""
    known = np.flatnonzero(labels != "")
    if len(known) > most:
        known = np.sort(np.random.default_rng(0).choice(known, most, replace=False))
    return known


def among(
    near: np.ndarray, distances: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return lists of neighbours of some cells among these cells, numbered anew.

    All lists get as many neighbours as the shortest has.
    """
    number = np.full(len(near), -1)
    number[chosen] = np.arange(len(chosen))
    near, distances = number[near[chosen]], distances[chosen]
    order = np.argsort(near < 0, axis=1, kind="stable")
    shortest = int((near >= 0).sum(axis=1).min())
    near = np.take_along_axis(near, order, axis=1)[:, :shortest]
    return near, np.take_along_axis(distances, order, axis=1)[:, :shortest]
