"""A pretended device, small data of several designs, and models trained on them."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from lightning.pytorch import Callback
from mudata import MuData

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from hzau_omics.model.training.after import intervals
from tests.devices.machine import pretended_device
from tests.devices.pretended import PretendedDevice

logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

QUICK = {"batch_size": 96, "train_size": 0.7, "enable_progress_bar": False, "seed": 0}
ON_DEVICE = {**QUICK, "accelerator": "gpu"}
PAIR = {"rna": "nb", "adt": "nb"}
KINDS = ("B lymphocyte", "natural killer", "monocyte", "helper T cell")
# Wide enough for sparse products and for products in bfloat16, narrow enough to be quick.
FEATURES = {"rna": 260, "adt": 9}


def paired() -> MuData:
    """Return RNA and protein of every cell."""
    return ho.data.simulate(130, n_features=FEATURES)


def mosaic() -> MuData:
    """Return three batches with panels; some cells lack RNA, some protein."""
    missing = {"adt": 0.3, "rna": 0.2}
    return ho.data.simulate(240, n_features=FEATURES, n_batches=3, missing=missing, panels=True)


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
    "texts": (texts, {**PAIR, "text": "bernoulli"}, {"labels_key": "cell_type"}),
}


def take_few_draws(patch: pytest.MonkeyPatch) -> None:
    """Let calibrations of intervals draw little."""
    for name, value in {"N_SAMPLES": 2, "N_SAMPLES_WIDE": 2, "REFINEMENTS": 0}.items():
        patch.setattr(intervals, name, value)


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


class Steps(Callback):
    """Note what the CPU waits for in steps; the batch is on the device before a step begins."""

    def __init__(self, device: PretendedDevice) -> None:
        self.device = device
        self.waits: list[str] = []
        self._before = 0

    def on_train_batch_start(self, *_: Any) -> None:
        self._before = len(self.device.waits)

    def on_train_batch_end(self, *_: Any) -> None:
        self.waits += self.device.waits[self._before :]

    on_validation_batch_start, on_validation_batch_end = on_train_batch_start, on_train_batch_end


@dataclass(frozen=True)
class Fitted:
    """A model that was trained on a pretended device, where it then was, and its steps' waits."""

    model: HZAUVAE
    device: str
    waits: list[str]


@pytest.fixture(scope="session")
def fitted() -> Callable[[str], Fitted]:
    """Give a model of a design, trained on a pretended device; no test may train it again."""

    @cache
    def fit(design: str) -> Fitted:
        model = untrained(design)
        with pytest.MonkeyPatch.context() as patch, pretended_device() as device:
            take_few_draws(patch)
            steps = Steps(device)
            model.train(1, **ON_DEVICE, callbacks=steps)
        return Fitted(model, model.device.type, steps.waits)

    return fit
