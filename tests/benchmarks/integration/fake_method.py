"""A method for tests: what becomes of it depends on the seed."""

import time

import numpy as np

from benchmarks.integration.methods.exchange import Cells, Embedding

PACKAGES = ("numpy",)
WORKS, FAILS, HANGS, GIVES_NAN, IS_CUT = range(5)


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    if seed == FAILS:
        message = "it does not like these cells"
        raise ValueError(message)
    if seed == HANGS:
        time.sleep(60)
    joint = np.log1p(cells.counts["rna"].toarray())
    if seed == GIVES_NAN:
        joint[:3] = np.nan
    return Embedding(joint=joint, cut=seed == IS_CUT, info={"epochs": 3})
