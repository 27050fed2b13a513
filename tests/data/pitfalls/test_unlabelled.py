"""Labels that read like none are told, unless set-up says that they are none."""

import warnings

import numpy as np
import pytest

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
    "label", ["Unknown", "unknown cells", "NaN", "nan", "NA", "n/a", "None", "unassigned", "?", ""]
)
def test_names_of_no_label(label):
    assert reads_like_none(label)


@pytest.mark.parametrize("label", ["NK", "Naive B", "nanog+", "other", "Mono", "untreated", "0"])
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


def test_a_store_on_disk_is_told_the_same(cells, tmp_path):
    pytest.importorskip("zarr")
    keys = {"labels_key": "kind"}
    with pytest.warns(HzauWarning, match=r"'unknown' \(6 cells\)"):
        ho.data.write_store(cells, tmp_path / "one", SPECS, **keys)
    ho.data.write_store(cells, tmp_path / "two", SPECS, **keys, unlabeled_category="unknown")
    store = ho.data.open_store(tmp_path / "two")
    assert store.layout.labels.categories == ("B", "NK")
    assert store.layout.labels.unlabeled == ("unknown",)
