"""Principal components of RNA, with nothing integrated."""

from benchmarks.integration.methods.exchange import Cells, Embedding
from benchmarks.integration.methods.preprocessing import rna_components

PACKAGES = ("scanpy", "scikit-learn")


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Embed the cells by the RNA that all of them have."""
    return Embedding(joint=rna_components(cells, seed))
