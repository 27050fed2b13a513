"""Texts from tables: joined by names of cells, without a column of obs."""

import pandas as pd
import pytest

from hzau_omics import pp
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning

NOTES = ["CD8 T cell", "B cell", "NK cell", "T cell", "B cell", "NK", "T", "B", "monocyte"]


def table(mdata, notes=NOTES):
    return pd.DataFrame({"cell": mdata.obs_names[::-1], "n": range(9), "note": notes[::-1]})


@pytest.mark.parametrize("form", ["frame", "indexed", "series", "csv", "tsv.gz"])
def test_a_table_gives_what_a_column_gives(mosaic, tmp_path, form):
    columns = mosaic.copy()
    columns.obs["note"] = NOTES
    pp.add_text_modality(columns, "note")
    own = table(mosaic)
    source = {"frame": own, "indexed": own.set_index("cell"), "series": own.set_index("cell").note}
    if form not in source:
        own.to_csv(tmp_path / f"notes.{form}", sep="\t" if "tsv" in form else ",", index=False)
        source[form] = str(tmp_path / f"notes.{form}")
    pp.add_text_modality(mosaic, source[form])
    assert "note" not in mosaic.obs
    assert mosaic["text"].uns["text"]["column"] == "note"
    assert list(mosaic["text"].var_names) == list(columns["text"].var_names)
    assert (mosaic["text"].X != columns["text"].X).nnz == 0


def test_cells_that_the_table_lacks_lack_the_modality(mosaic):
    with pytest.warns(HzauWarning, match="rows for 6 of 9 cells"):
        pp.add_text_modality(mosaic, table(mosaic)[:6])
    assert set(mosaic["text"].obs_names) == set(mosaic.obs_names[3:])


def test_a_series_without_a_name_is_text(mosaic):
    pp.add_text_modality(mosaic, pd.Series(NOTES, mosaic.obs_names))
    assert mosaic["text"].uns["text"]["column"] == "text"


def test_a_table_needs_one_column_of_texts(mosaic):
    own = table(mosaic)
    with pytest.raises(ConfigError, match=r"has 'note', 'other'. Choose one"):
        pp.add_text_modality(mosaic, own.assign(other="x"))
    with pytest.raises(ConfigError, match="has none"):
        pp.add_text_modality(mosaic, own.drop(columns="note"))


def test_texts_of_other_cells_are_refused(mosaic):
    with pytest.raises(DataContractError, match="0 of 9 rows match"):
        pp.add_text_modality(mosaic, pd.Series(NOTES, [f"other{i}x" for i in range(9)]))


def test_a_column_that_is_missing_is_told_as_before(mosaic):
    with pytest.raises(DataContractError, match="is not a column of obs"):
        pp.add_text_modality(mosaic, "notes")
