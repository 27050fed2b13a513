"""ModalitySummary of a matrix, as set-up collects it."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hzau_omics.data.contract.spec import ModalitySpec
from hzau_omics.data.pitfalls.summary import ModalitySummary


def _look(values, batch, *, parts=1, sampled=False):
    """What is known of a matrix, looked at in parts."""
    names = tuple(f"f{i}" for i in range(values.shape[1]))
    known = ModalitySummary("adt", ModalitySpec(likelihood="nb"), names)
    categories = tuple(sorted(set(batch)))
    for rows in np.array_split(np.arange(len(values)), parts):
        known.add(
            sp.csr_array(values[rows]),
            var_names=names,
            cells=pd.Index([f"c{row}" for row in rows]),
            codes=np.array([categories.index(batch[row]) for row in rows]),
            categories=categories,
            sampled=sampled,
        )
    return known


@pytest.fixture(scope="session")
def look():
    return _look
