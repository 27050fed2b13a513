"""What every section is given: sizes, the time that is left, and the cells."""

import functools
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks.gpu.sizes import Sizes

if TYPE_CHECKING:
    from benchmarks.common.data import Split

FILE = "citeseq_pbmc10k_totalvi.h5mu"


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Sizes, and when the section is stopped.

    Attributes
    ----------
    sizes
        How large everything is.
    until
        When the section is stopped, in seconds of `time.time`.
    """

    sizes: Sizes
    until: float

    def left_s(self) -> float:
        """Return how many seconds the section has left."""
        return self.until - time.time()

    def split(self) -> "Split":
        """Return PBMC10k, a fifth of it held out."""
        return _split(self.sizes.n_cells)

    def limit(self, value: float) -> float | None:
        """Return a limit of an accuracy; None where sizes are too small to judge."""
        return value if self.sizes.judged else None


@functools.cache
def _split(n_cells: int) -> "Split":
    # Late: the process that runs sections should start fast.
    import mudata
    import numpy as np

    from benchmarks.common.data import find_file, make_split

    mdata = mudata.read_h5mu(find_file(FILE))
    if n_cells < mdata.n_obs:
        rows = np.random.default_rng(0).permutation(mdata.n_obs)[:n_cells]
        mdata = mdata[np.sort(rows)].copy()
    return make_split(mdata)
