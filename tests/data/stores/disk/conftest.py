"""A store on disk of a small mosaic, and the mosaic itself."""

import pytest

import hzau_omics as ho
from hzau_omics.data import ModalitySpec, build_layout

SPECS = {
    "rna": "nb",
    "adt": ModalitySpec(likelihood="bernoulli", binarize=True),
    "emb": "normal",
}
KEYS = {
    "batch_key": "batch",
    "panel_key": "measured",
    "labels_key": "celltype",
    "categorical_covariate_keys": ["donor"],
    "continuous_covariate_keys": ["age"],
}


@pytest.fixture
def path(tmp_path, mosaic):
    folder = tmp_path / "cells.zarr"
    ho.data.write_store(mosaic, folder, SPECS, **KEYS)
    return folder


@pytest.fixture
def store(path):
    return ho.data.open_store(path)


@pytest.fixture
def layout(mosaic):
    return build_layout(mosaic, SPECS, **KEYS)


@pytest.fixture
def same_batch():
    """Compare two minibatches exactly."""

    def compare(found, expected):
        for name in ("present", "batch", "categorical", "continuous", "rows"):
            assert getattr(found, name).equal(getattr(expected, name)), name
        assert list(found.x) == list(expected.x)
        for name in expected.x:
            assert found.x[name].equal(expected.x[name]), name
        assert set(found.sparse) == set(expected.sparse)
        assert set(found.feature_mask) == set(expected.feature_mask)
        for name, mask in expected.feature_mask.items():
            assert found.feature_mask[name].equal(mask), name

    return compare
