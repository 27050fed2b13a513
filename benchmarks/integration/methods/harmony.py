"""Harmony on principal components of RNA, with its defaults."""

import harmonypy  # type: ignore[import-not-found, import-untyped]
import numpy as np
import pandas as pd

from benchmarks.integration.methods.exchange import Cells, Embedding
from benchmarks.integration.methods.preprocessing import rna_components

PACKAGES = ("harmonypy", "scanpy")


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Correct the components by batch."""
    components = rna_components(cells, seed)
    batch = pd.DataFrame({"batch": cells.batch})
    found = harmonypy.run_harmony(components, batch, "batch", random_state=seed)
    corrected = np.asarray(found.Z_corr)
    # Releases differ in whether cells are rows or columns.
    return Embedding(joint=corrected if len(corrected) == cells.n else corrected.T)
