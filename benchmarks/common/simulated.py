"""Simulated counts made as sparse as those of real cells."""

from typing import Any

import numpy as np


def thin(adata: Any, *, seed: int) -> None:
    """Keep about a tenth of the counts: real cells are sparser than simulated ones."""
    adata.X.data = np.random.default_rng(seed).binomial(adata.X.data.astype(int), 0.1)
    adata.X.data = adata.X.data.astype(np.float32)
    adata.X.eliminate_zeros()
