"""Pictures of Table 1: images that every system generates."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.common.resume import arrays_of
from benchmarks.table1.run import Table1Run


def draw_samples(runs: Sequence[Table1Run], folder: Path, stem: Path) -> list[Path]:
    """Draw prior and conditional samples of every system, one picture per data set."""
    import matplotlib.pyplot as plt

    from hzau_omics import pl
    from hzau_omics.pl.output import figure_of

    paths = []
    for dataset in dict.fromkeys(run.dataset for run in runs):
        sets = {
            f"{run.system}: {kind}": x.astype(float)
            for run in runs
            if (run.dataset, run.seed) == (dataset, 0)
            for kind, x in arrays_of(run, folder).items()
        }
        if sets:
            figure = figure_of(pl.samples(sets, ncols=4))
            path = stem.with_name(f"{stem.name}.{dataset}.png")
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, dpi=70)
            plt.close(figure)
            paths.append(path)
    return paths
