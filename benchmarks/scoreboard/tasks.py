"""What the scoreboard measures, on how many cells, for how long and with how many seeds.

Sizes are chosen for 12 minutes on two idle cores, all tasks together; subsets of cells are fixed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

type Better = Literal["higher", "lower", "near"]
"""Which values are better; ``near`` is nearest to what a value stands beside."""

PBMC10K = "citeseq_pbmc10k_totalvi.h5mu"
TWO_BATCHES = "citeseq_pbmc_2batch_labelled.h5mu"


@dataclass(frozen=True, kw_only=True)
class ScoreboardTask:
    """One kind of training, and the claims that are read off it.

    Attributes
    ----------
    name
        Name, also of kept results.
    file
        Data file; None for the data set that the package brings.
    cells
        Cells of it at most; 0 for all.
    epochs
        Epochs; 0 for the default of ``train()``, which stops early.
    seconds
        What one run takes on two idle cores.
    seeds
        Seeds 0, 1, ...; repeats where a task measures time.
    claims
        Each claim, and which values of it are better.
    """

    name: str
    file: str | None
    cells: int
    epochs: int
    seconds: float
    seeds: int
    claims: Mapping[str, Better]

    @property
    def data(self) -> str:
        """File, cells and epochs in words, for the table."""
        file = self.file or "pbmc_mosaic"
        cells = f"{self.cells} cells" if self.cells else "all cells"
        epochs = f"{self.epochs} epochs" if self.epochs else "default epochs"
        return f"{file}; {cells}; {epochs}"


TASKS = (
    ScoreboardTask(
        name="demo", file=None, cells=0, epochs=0, seconds=99, seeds=2,
        claims={
            "demo: RNA to protein, Pearson": "higher",
            "demo: RNA to protein, 90 % intervals cover": "near",
            "demo: cell type of cells without text": "higher",
            "demo: iLISI": "higher",
            "demo: neighbours of other batches": "higher",
            "demo: neighbours of other batches, protein only": "higher",
            "demo: text AUROC, asked by name": "higher",
            "demo: random splits with a false call": "lower",
            "demo: changes from hidden protein, 90 % intervals cover": "near",
        },
    ),
    ScoreboardTask(
        name="two-batches", file=TWO_BATCHES, cells=2_400, epochs=40, seconds=61, seeds=2,
        claims={
            "two batches: cell type, 15-NN": "higher",
            "two batches: iLISI": "higher",
            "two batches: neighbours of other batches": "higher",
        },
    ),
    ScoreboardTask(
        name="two-batches-mosaic", file=TWO_BATCHES, cells=2_400, epochs=40, seconds=51, seeds=1,
        claims={
            "two batches, mosaic: cell type, 15-NN": "higher",
            "two batches, mosaic: iLISI": "higher",
            "two batches, mosaic: neighbours of other batches": "higher",
        },
    ),
    ScoreboardTask(
        name="pbmc10k", file=PBMC10K, cells=3_000, epochs=50, seconds=65, seeds=2,
        claims={
            "PBMC10k: RNA to protein, Pearson": "higher",
            "PBMC10k: RNA to protein, 90 % intervals cover": "near",
            "PBMC10k: held-out NLL of RNA": "lower",
            "PBMC10k: held-out NLL of protein": "lower",
            "PBMC10k: reliability AUROC, half ambient RNA": "higher",
            "PBMC10k: reliability AUROC, half ambient protein": "higher",
            "PBMC10k: agreement AUROC, swapped protein": "higher",
        },
    ),
    ScoreboardTask(
        name="speed-128", file=PBMC10K, cells=0, epochs=3, seconds=78, seeds=2,
        claims={"speed: times totalVI, batch 128": "higher"},
    ),
    ScoreboardTask(
        name="speed-512", file=PBMC10K, cells=0, epochs=3, seconds=60, seeds=1,
        claims={
            "speed: times totalVI, batch 512": "higher",
            "memory: peak of training, GB": "lower",
        },
    ),
)  # fmt: skip


def quick(task: ScoreboardTask) -> ScoreboardTask:
    """Return a task as a trial: few cells, two epochs, two seeds."""
    cells = 0 if task.file is None or task.name.startswith("speed") else 300
    epochs = 1 if task.name.startswith("speed") else 2
    return replace(task, cells=cells, epochs=epochs, seeds=min(task.seeds, 2))
