"""A pretended device, small data of several designs, and models trained on them."""

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from mudata import MuData

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from tests.devices.pretended import PretendedDevice, pretended_device

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

QUICK = {"batch_size": 64, "train_size": 0.7, "enable_progress_bar": False, "seed": 0}
PAIR = {"rna": "nb", "adt": "nb"}
KINDS = ("B lymphocyte", "natural killer", "monocyte", "helper T cell")
# Wide enough for sparse products and for products in bfloat16, narrow enough to be quick.
FEATURES = {"rna": 260, "adt": 9}


def paired() -> MuData:
    """Return RNA and protein of every cell."""
    return ho.data.simulate(200, n_features=FEATURES)


def mosaic() -> MuData:
    """Return three batches with panels, one of them without protein."""
    missing = {"adt": ["batch_1"], "rna": 0.2}
    return ho.data.simulate(300, n_features=FEATURES, n_batches=3, missing=missing, panels=True)


def texts() -> MuData:
    """Return paired cells, most of which are described in words."""
    mdata = paired()
    codes = mdata.obs["cell_type"].astype("category").cat.codes
    mdata.obs["note"] = [KINDS[code] if i % 5 else None for i, code in enumerate(codes)]
    ho.pp.add_text_modality(mdata, "note")
    return mdata


DESIGNS: dict[str, tuple[Callable[[], MuData], dict[str, str], dict[str, Any]]] = {
    "paired": (paired, PAIR, {}),
    "mosaic": (mosaic, PAIR, {"batch_key": "batch", "panel_key": "measured"}),
    "texts": (texts, {**PAIR, "text": "bernoulli"}, {}),
}


def untrained(design: str) -> HZAUVAE:
    """Return an untrained model of some cells."""
    make, modalities, setup = DESIGNS[design]
    mdata = make()
    HZAUVAE.setup_mudata(mdata, modalities, **setup)
    return HZAUVAE(mdata, n_latent=4, n_hidden=16)


@pytest.fixture
def device() -> Iterator[PretendedDevice]:
    """Give a pretended device, which Lightning takes for a GPU."""
    with pretended_device() as found:
        yield found


@pytest.fixture(scope="session")
def trained() -> Callable[[str], HZAUVAE]:
    """Give a model that was trained on the CPU; no test may train it or change its data."""
    models: dict[str, HZAUVAE] = {}

    def train(design: str) -> HZAUVAE:
        if design not in models:
            models[design] = untrained(design)
            models[design].train(2, accelerator="cpu", **QUICK)
        return models[design]

    return train
