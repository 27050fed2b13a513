"""The methods: what each needs installed, and which data it takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.environments import Environment
from benchmarks.common.runner import imported, package_sources
from benchmarks.integration.methods.exchange import CHROMATIN, PROTEIN, RNA, Cells

FOLDER = Path(__file__).parent / "methods"
WORKER = "benchmarks.integration.methods.worker"
MUON = ("muon==0.2.0", "mofapy2==0.7.5", "scanpy[leiden]>=1.11")
# It gives AnnData an argument that later releases no longer take.
MULTIGRATE = ("multigrate==1.0.1", "anndata<0.13")


@dataclass(frozen=True, kw_only=True)
class Method:
    """One method.

    Attributes
    ----------
    name
        Name.
    title
        Name in tables.
    environment
        Requirements of its environment.
    needs
        Modalities that every cell must have.
    knows
        Modalities that it takes.
    mosaic
        Whether cells may lack modalities that `needs` does not name.
    code
        File with its ``embed``; None for that of its name in ``methods``.
    """

    name: str
    title: str
    environment: Environment = ()
    needs: tuple[str, ...] = ()
    knows: tuple[str, ...] = (RNA, PROTEIN, CHROMATIN)
    mosaic: bool = True
    code: Path | None = None

    @property
    def file(self) -> Path:
        """File with its ``embed``."""
        return self.code or FOLDER / f"{self.name}.py"

    def sources(self) -> list[Path]:
        """Return the files that decide what it does; of ours, the whole package."""
        shared = imported(self.file, [FOLDER / "preprocessing.py", FOLDER / "training.py"])
        return [self.file, *shared, *(package_sources() if self.name == "ours" else [])]

    def refusal(self, cells: Cells) -> str | None:
        """Return why it does not take these cells; None if it does."""
        unknown = [m for m in cells.modalities if m not in self.knows]
        if unknown:
            return f"{self.title} takes {' and '.join(self.knows)}, not {' and '.join(unknown)}"
        for m in self.needs:
            if m not in cells.modalities or not cells.present[m].all():
                return f"{self.title} needs {m} of every cell"
        if not self.mosaic and cells.mosaic:
            return f"{self.title} needs all modalities of every cell"
        return None


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method(name="ours", title="HZAU-VAE"),
        Method(name="midas", title="scMIDAS", environment=("scmidas==0.3.0",)),
        Method(name="totalvi", title="totalVI", needs=(RNA,), knows=(RNA, PROTEIN)),
        Method(name="multivi", title="MultiVI", knows=(RNA, CHROMATIN)),
        Method(name="univi", title="UniVI", environment=("univi==1.2.1", "scikit-misc>=0.3")),
        Method(name="multigrate", title="Multigrate", environment=MULTIGRATE),
        Method(name="mofa", title="MOFA+", environment=MUON),
        Method(name="wnn", title="WNN", environment=MUON, mosaic=False),
        Method(
            name="harmony",
            title="Harmony on PCA",
            environment=("harmonypy==2.1.0", "scanpy>=1.11"),
            needs=(RNA,),
        ),
        Method(name="pca", title="PCA of RNA", needs=(RNA,)),
    )
}


def methods_named(names: list[str] | None) -> list[Method]:
    """Return methods by name; all of them for None."""
    return [METHODS[name] for name in names or METHODS]
