import numpy as np
import pandas as pd
from hypothesis import given, strategies as st

from hzau_omics.data.changes.identity import UNKNOWN, CellIdentity

NAMES = st.lists(st.text(min_size=1, max_size=4), min_size=1, max_size=8, unique=True)


def cells(names, values=None):
    digests = None if values is None else [np.asarray(part, np.uint64) for part in values]
    return CellIdentity.of(pd.Index(list(names)), digests)


@given(names=NAMES, data=st.data())
def test_cells_are_found_by_name_in_any_order(names, data):
    others = data.draw(st.lists(st.sampled_from([*names, "-absent-"]), unique=True))
    found = cells(names).find(cells(others))
    expected = [names.index(name) if name in names else UNKNOWN for name in others]
    assert found.tolist() == expected


def test_a_cell_of_the_same_name_with_other_values_is_another_cell():
    known = cells("abc", [[1, 2, 3], [4, 5, 6]])
    assert known.find(cells("ca", [[3, 1], [6, 4]])).tolist() == [2, 0]
    assert known.find(cells("ca", [[3, 9], [6, 4]])).tolist() == [2, UNKNOWN]
    # The same values in the other modality are other values.
    assert known.find(cells("a", [[4], [1]])).tolist() == [UNKNOWN]


def test_where_values_are_not_known_names_decide():
    assert cells("ab", [[1, 2]]).find(cells("ba")).tolist() == [1, 0]
    assert cells("ab").find(cells("ba", [[1, 2]])).tolist() == [1, 0]
