"""Bars show the share of suspicious measurements."""

import numpy as np
import pandas as pd
import pytest

from hzau_omics import pl
from hzau_omics.errors import DataContractError
from tests.pl.axes import bars_of


def test_suspicious_measurements_are_counted_by_group() -> None:
    values = pd.DataFrame(
        {"rna": [0.1, 0.9, 0.2, 0.9], "adt": [np.nan, 0.8, 0.7, 0.4]}, index=list("abcd")
    )
    ax = pl.reliability(values, ["B", "B", "T", "T"])
    np.testing.assert_allclose(bars_of(ax), [[0.5, 0.5], [0.0, 0.5]])
    assert [t.get_text() for t in ax.texts] == ["1", "1", "", "1"]
    strict = pl.reliability(values, threshold=0.85)
    np.testing.assert_allclose(bars_of(strict).ravel(), [0.5, 1.0])
    with pytest.raises(DataContractError, match=r"values must be a table .* get_reliability"):
        pl.reliability(values * 2)
