"""Labels that read like none are told, unless set-up says that they are none."""

import re
import shlex
import warnings

import numpy as np
import pytest
import yaml

import hzau_omics as ho
from hzau_omics.data import build_layout
from hzau_omics.data.pitfalls.unlabelled import reads_like_none
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning

SPECS = {"rna": "nb", "adt": "nb"}


@pytest.fixture
def cells():
    """60 cells, of which every tenth is of no known type."""
    mdata = ho.data.simulate(60, seed=0)
    labels = np.array(["B", "NK"], dtype=object)[np.arange(60) % 2]
    labels[::10] = "unknown"
    mdata.obs["kind"] = labels
    return mdata


@pytest.mark.parametrize(
    "label",
    [
        "Unknown",
        "unknown cells",
        "NaN",
        "nan",
        "NA",
        "n/a",
        "None",
        "unassigned",
        "?",
        "",
        ".",
        "--",
    ],
)
def test_names_of_no_label(label):
    assert reads_like_none(label)


@pytest.mark.parametrize(
    "label", ["NK", "Naive B", "nanog+", "Mono", "untreated", "0", "cell", "cells", "type"]
)
def test_names_of_labels(label):
    assert not reads_like_none(label)


def test_cells_of_such_a_label_are_counted_with_the_remedy(cells):
    with pytest.warns(HzauWarning, match=r"'unknown' \(6 cells\).*unlabeled_category='unknown'"):
        layout = build_layout(cells, SPECS, labels_key="kind")
    assert layout.labels.categories == ("B", "NK", "unknown")


def test_the_remedy_takes_their_label_away(cells):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layout = build_layout(cells, SPECS, labels_key="kind", unlabeled_category="unknown")
    assert layout.labels.categories == ("B", "NK")
    cells.obs["kind"] = cells.obs["kind"].replace("unknown", None)
    assert build_layout(cells, SPECS, labels_key="kind") == layout


def test_several_values_may_mean_no_label(cells):
    cells.obs["kind"] = cells.obs["kind"].replace({"B": "nan"})
    with pytest.warns(HzauWarning, match=r"unlabeled_category=\['nan', 'unknown'\]"):
        build_layout(cells, SPECS, labels_key="kind")
    found = build_layout(cells, SPECS, labels_key="kind", unlabeled_category=["nan", "unknown"])
    assert found.labels.categories == ("NK",)


def test_what_makes_no_sense_is_refused(cells):
    with pytest.raises(
        ConfigError, match=r"unlabeled_category is a value of labels_key.*give both"
    ):
        build_layout(cells, SPECS, unlabeled_category="unknown")
    with pytest.raises(DataContractError, match="missing or that of cells without a label"):
        build_layout(cells, SPECS, labels_key="kind", unlabeled_category=["B", "NK", "unknown"])


@pytest.mark.parametrize("given", [["?"], ["null"], ["-"], [""], ["not known", "nan"]])
def test_the_remedies_mean_what_they_say(cells, given):
    values = np.array([*given, "B"], dtype=object)
    cells.obs["kind"] = values[np.arange(60) % len(values)]
    with pytest.warns(HzauWarning, match="one more type of cells") as told:
        build_layout(cells, SPECS, labels_key="kind")
    message = str(told[0].message)
    written = re.search(r"in a configuration, (.*); on the command line", message)[1]
    found = yaml.safe_load(written)["setup"]["unlabeled_category"]
    assert found == given[0] if len(given) == 1 else sorted(found) == sorted(given)
    options = shlex.split(re.search(r"on the command line, (.*)\); if it is", message)[1])
    assert sorted(options) == sorted(f"--unlabeled-category={one}" for one in given)


def test_a_value_that_no_cell_has_is_told(cells):
    with warnings.catch_warnings(record=True, action="always") as told:
        build_layout(cells, SPECS, labels_key="kind", unlabeled_category=["Unknown", "B"])
    assert len(told) == 2
    assert "No cell has 'Unknown'" in str(told[0].message)
    assert "Did you mean 'unknown'?" in str(told[0].message)
    assert "unlabeled_category=['B', 'unknown']" in str(told[1].message)


@pytest.mark.parametrize("given", [-1, -1.0, np.int8(-1), "-1", [-1], np.array([-1])])
def test_numbers_may_mean_no_label(cells, given):
    cells.obs["kind"] = np.arange(60) % 3 - 1
    layout = build_layout(cells, SPECS, labels_key="kind", unlabeled_category=given)
    assert layout.labels.categories == ("0", "1")
    assert layout.labels.unlabeled == ("-1",)


@pytest.mark.parametrize("given", [np.nan, ["unknown", None], [np.nan]])
def test_a_missing_value_needs_no_mention(cells, given):
    with pytest.raises(ConfigError, match=r"missing values always do.*leave it out"):
        build_layout(cells, SPECS, labels_key="kind", unlabeled_category=given)


def test_a_piece_of_a_store_may_lack_a_value(cells, tmp_path):
    pytest.importorskip("zarr")
    keys = {"labels_key": "kind", "unlabeled_category": "unknown"}
    pieces = [cells[cells.obs["kind"] == one].copy() for one in ("B", "unknown")]
    ho.data.write_store(pieces, tmp_path / "both", SPECS, **keys)
    with pytest.warns(HzauWarning, match=r"No cell has 'unknown'"):
        ho.data.write_store(pieces[0], tmp_path / "one", SPECS, **keys)


def test_a_store_on_disk_is_told_the_same(cells, tmp_path):
    pytest.importorskip("zarr")
    keys = {"labels_key": "kind"}
    with pytest.warns(HzauWarning, match=r"'unknown' \(6 cells\)"):
        ho.data.write_store(cells, tmp_path / "one", SPECS, **keys)
    ho.data.write_store(cells, tmp_path / "two", SPECS, **keys, unlabeled_category="unknown")
    store = ho.data.open_store(tmp_path / "two")
    assert store.layout.labels.categories == ("B", "NK")
    assert store.layout.labels.unlabeled == ("unknown",)
