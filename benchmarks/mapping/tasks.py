"""The mappings: which cells are the reference, which the query, and what was measured of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import mudata
import numpy as np

from benchmarks.common.data import find_file
from benchmarks.integration.methods.exchange import CHROMATIN, PROTEIN, RNA, Cells, Parts
from benchmarks.integration.tasks import SNARE_SEQ, as_task
from benchmarks.mapping.methods.exchange import Question
from benchmarks.scoreboard.tasks import TWO_BATCHES

BMMC = "citeseq_bmmc_neurips2021_starter.h5mu"
FEWEST = 10
"""Reference cells that a type must have to be one that is asked for."""
RNA_ONLY = "RNA only"
HALF = "RNA, half of the protein"
"""Every second protein of the shared panel, in the order of the file."""


@dataclass(frozen=True, kw_only=True)
class MapData:
    """A question, and what only the measures see.

    Attributes
    ----------
    question
        What methods get.
    labels
        Type of each query cell; "" where it is not known or not asked for.
    protein
        Counts of the query (cell, protein of the reference); NaN where a protein was not measured;
        None where the data have no protein.
    """

    question: Question
    labels: np.ndarray
    protein: np.ndarray | None

    @property
    def query_batch(self) -> np.ndarray:
        """Batch of each query cell."""
        return next(iter(self.question.forms.values())).batch


@dataclass(frozen=True, kw_only=True)
class MapTask:
    """One mapping.

    Attributes
    ----------
    name
        Name.
    what
        What it is, in a few words.
    read
        Reads the data.
    """

    name: str
    what: str
    read: Callable[[], MapData]


def two_laboratories() -> MapData:
    """Return PBMC10k as the reference of the other batch, of which 8 of 14 proteins are shared."""
    data = as_task(mudata.read_h5mu(find_file(TWO_BATCHES)))
    reference = np.unique(data.cells.batch) == "PBMC10k"
    both = data.cells.measured[PROTEIN].all(axis=0)
    panel = {PROTEIN: data.cells.features[PROTEIN][both]}
    forms: dict[str, Parts] = {
        RNA_ONLY: {RNA: None},
        "protein only": panel,
        HALF: {RNA: None, PROTEIN: panel[PROTEIN][::2]},
        "RNA and protein": {RNA: None, **panel},
    }
    names = data.cells.features[PROTEIN]
    known = {PROTEIN: names[data.cells.measured[PROTEIN][reference][0]]}
    return as_question(data.cells, data.labels, ["PBMC10k"], forms, known)


def two_donors() -> MapData:
    """Return one donor of bone marrow as the reference of the other."""
    data = as_task(mudata.read_h5mu(find_file(BMMC)))
    forms: dict[str, Parts] = {
        RNA_ONLY: {RNA: None},
        "protein only": {PROTEIN: None},
        "RNA and protein": {RNA: None, PROTEIN: None},
    }
    return as_question(data.cells, data.labels, ["s1d1"], forms)


def libraries() -> MapData:
    """Return four libraries of SNARE-seq as the reference of the other eight."""
    data = as_task(mudata.read_h5mu(find_file(SNARE_SEQ)))
    forms: dict[str, Parts] = {
        RNA_ONLY: {RNA: None},
        "chromatin only": {CHROMATIN: None},
        "RNA and chromatin": {RNA: None, CHROMATIN: None},
    }
    return as_question(data.cells, data.labels, ["09A", "09B", "09C", "09D"], forms)


def as_question(
    cells: Cells,
    labels: np.ndarray,
    batches: Sequence[str],
    forms: Mapping[str, Parts],
    known: Mapping[str, np.ndarray] | None = None,
) -> MapData:
    """Split cells into reference and query.

    Parameters
    ----------
    cells
        All cells.
    labels
        Type of each; "" where it is not known.
    batches
        Batches of the reference.
    forms
        Modalities of the query in each form, with names of features; None for all.
    known
        Features of the reference, where it has not all.
    """
    chosen = np.isin(cells.batch, batches)
    known = known or {}
    every = {m: known.get(m) for m in cells.modalities}
    reference = cells.subset(chosen, every)
    own = labels[chosen]
    types, sizes = np.unique(own[own != ""], return_counts=True)
    types = types[sizes >= FEWEST]
    asked = np.where(np.isin(labels, types), labels, "")
    question = Question(
        reference=reference,
        labels=asked[chosen],
        forms={name: cells.subset(~chosen, parts) for name, parts in forms.items()},
    )
    protein = observed(cells, ~chosen, reference.features[PROTEIN]) if PROTEIN in every else None
    return MapData(question=question, labels=asked[~chosen], protein=protein)


def observed(cells: Cells, rows: np.ndarray, proteins: np.ndarray) -> np.ndarray:
    """Return counts of proteins (cell, protein); NaN where the cell's batch did not measure one."""
    part = cells.subset(rows, {PROTEIN: proteins})
    there = part.measured[PROTEIN][np.searchsorted(part.batches, part.batch)]
    return np.where(there, part.counts[PROTEIN].toarray(), np.nan)


TASKS: Mapping[str, MapTask] = {
    task.name: task
    for task in (
        MapTask(name="pbmc", what="PBMCs of another laboratory", read=two_laboratories),
        MapTask(name="bmmc", what="bone marrow of another donor", read=two_donors),
        MapTask(name="snare", what="other libraries of mouse cortex", read=libraries),
    )
}
