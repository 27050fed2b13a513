"""The section ``results``: what a run makes and writes besides the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hzau_omics.checks import POSITIVE, check_integer, check_names, check_number


@dataclass(frozen=True, kw_only=True)
class ResultOptions:
    """What a run makes and writes besides the model.

    Attributes
    ----------
    cluster
        Whether to compute a UMAP and Leiden clusters of the cells.
    n_neighbors
        Number of neighbours of a cell for both.
    resolution
        Resolution of the Leiden clusters: more clusters if it is larger.
    impute
        Modalities of which all values are predicted; each is written as imputed_NAME.h5ad.
    de
        Comparisons of groups of cells. Each is a mapping with the arguments of
        differential_expression: modality, groupby and, if wanted, others.
    report
        Whether to write report.html.
    title
        Title of the report; null for one made from the names of the modalities.
    h5mu
        Whether to write the cells with all annotations, cells.h5mu.
    h5ad
        Modalities that are each written as NAME.h5ad, with expected and imputed values.
    csv
        Whether to write cells.csv (annotations of the cells) and latents.csv.
    """

    cluster: bool = True
    n_neighbors: int = 15
    resolution: float = 1.0
    impute: str | Sequence[str] = ()
    de: Sequence[Mapping[str, Any]] = ()
    report: bool = True
    title: str | None = None
    h5mu: bool = True
    h5ad: str | Sequence[str] = ()
    csv: bool = True

    def __post_init__(self) -> None:
        """Check ranges, and turn one name into a list."""
        plain = {
            "n_neighbors": check_integer("results.n_neighbors", self.n_neighbors, least=2),
            "resolution": check_number("results.resolution", self.resolution, POSITIVE),
            "de": tuple(self.de or ()),
        }
        for name in ("impute", "h5ad"):
            given = getattr(self, name)
            plain[name] = check_names(f"results.{name}", given, what="modality") if given else ()
        for name, value in plain.items():
            object.__setattr__(self, name, value)
