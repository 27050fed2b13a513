"""Tables joined to cells: by name, by a rule that tells, or not at all."""

import numpy as np
import pandas as pd
import pytest

from hzau_omics.data.reading.record import Record
from hzau_omics.data.reading.tables import add_columns, join_table
from hzau_omics.errors import DataContractError, HzauWarning

CELLS = pd.Index([f"ACGT{a}{b}-1" for a in "ACGT" for b in "ACGTN"])


def join(table, cells=CELLS, **options):
    record = Record()
    return join_table(table, cells, "notes.csv", record, **options), record.table()


def test_the_column_with_the_names_of_cells_is_found_in_any_place():
    table = pd.DataFrame({"n": range(20), "type": list("TB") * 10, "barcode": CELLS[::-1]})
    joined, done = join(table)
    assert list(joined.columns) == ["n", "type"]
    assert joined["n"].tolist() == list(range(20))[::-1]
    assert done.empty


def test_names_may_be_the_index():
    joined, _ = join(pd.DataFrame({"n": range(20)}, index=CELLS))
    assert joined["n"].tolist() == list(range(20))


def test_a_suffix_that_differs_is_told():
    table = pd.DataFrame({"cell": [name[:-2] for name in CELLS], "n": range(20)})
    joined, done = join(table)
    assert joined["n"].tolist() == list(range(20))
    assert (done["what"].item(), done["n"].item()) == ("table row", 20)


def test_a_rule_that_does_not_tell_which_cell_is_refused():
    cells = pd.Index([*CELLS, *(f"{name[:-1]}2" for name in CELLS[:4])])
    table = pd.DataFrame({"cell": [name[:-2] for name in CELLS], "n": range(20)})
    with pytest.raises(DataContractError, match="8 names agree with one that others agree with"):
        join(table, cells)


@pytest.mark.parametrize("n", [0, 1])
def test_a_table_of_other_cells_is_refused(n):
    names = [*CELLS[:n], *(f"other{i}x" for i in range(20 - n))]
    with pytest.raises(DataContractError, match=rf"In notes.csv, {n} of 20 rows match one of 20"):
        join(pd.DataFrame({"cell": names, "n": range(20)}))


def test_a_table_of_numbers_only_is_refused():
    with pytest.raises(DataContractError, match="named as cells are"):
        join(pd.DataFrame({"x": np.linspace(0.5, 1.5, 20)}))


def test_a_table_that_matches_in_part_warns_with_counts():
    table = pd.DataFrame({"cell": [*CELLS[:10], "more"], "flag": True})
    with pytest.warns(HzauWarning, match="rows for 10 of 20 cells.* 1 row of 11 match no cell"):
        joined, _ = join(table)
    assert joined["flag"].isna().sum() == 10
    assert joined["flag"].dtype == "boolean"


def test_rows_that_repeat_are_taken_once_and_refused_if_they_differ():
    table = pd.DataFrame({"cell": [*CELLS, CELLS[0]], "n": [*range(20), 0]})
    joined, _ = join(table)
    assert joined["n"].tolist() == list(range(20))
    table.loc[20, "n"] = 7
    with pytest.raises(DataContractError, match="several different rows for 1 of its cells"):
        join(table)


def test_a_column_that_is_there_already_must_agree():
    obs = pd.DataFrame({"type": ["T", None]}, index=["a", "b"])
    same = pd.DataFrame({"type": ["T", "B"], "n": [1, 2]}, index=["a", "b"])
    assert list(add_columns(obs, same, "notes.csv").columns) == ["type", "n"]
    other = pd.DataFrame({"type": ["B", "B"]}, index=["a", "b"])
    with pytest.raises(
        DataContractError, match=r"differs from the column .* in 1 cells, first 'a'"
    ):
        add_columns(obs, other, "notes.csv")
