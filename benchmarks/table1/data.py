"""What the systems of Table 1 are trained on: images with labels, and cells."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from mudata import MuData

from benchmarks.common.data import find_file
from benchmarks.common.ontology import ontology_terms
from benchmarks.common.task import Task
from benchmarks.text.wordings import PARAPHRASES
from hzau_omics.data import compose_digits, image_mudata
from hzau_omics.pp import add_text_modality

PAPER_MODEL: Mapping[str, Any] = {
    "n_latent": 64, "n_hidden": 512, "n_layers": 2, "dropout": 0.0, "encoder_dropout": 0.0,
    "input_dropout": 0.0,
}  # fmt: skip
PAPER_TRAINING: Mapping[str, Any] = {"lr": 1e-3, "kl_warmup": 0.4}
PAPER_OPTIMISER: Mapping[str, Any] = {
    "lr_schedule": "constant", "warmup_steps": 0, "weight_decay": 0.0, "gradient_clip": 1e9,
    "ema_decay": 0.0,
}  # fmt: skip
"""Adam as the paper has it; with all observations trained on, the last epoch's weights are kept."""
PAPER_WEIGHTS = {"label": 50.0, "text": 10.0}
"""Weight of the second modality: MNIST and FashionMNIST, and MultiMNIST (as the authors' code)."""

TEST_SHARE = 0.2


@dataclass(frozen=True, kw_only=True)
class Table1Task(Task):
    """Observations of x1 and x2, and the paper's options where it has the data set.

    Attributes
    ----------
    model, training
        Options of every system and of its training.
    shown
        Value of `label_key` that conditional samples are shown for.
    is_image
        Whether x1 has pixels.
    n_places
        Places of x2 that have one symbol each (MultiMNIST's text); 0 if it has none.
    """

    model: Mapping[str, Any] = field(default_factory=dict)
    training: Mapping[str, Any] = field(default_factory=dict)
    shown: str | None = None
    is_image: bool = False
    n_places: int = 0


def _labelled(file: str, pixels: Any, shown: str) -> Callable[[int, int], Table1Task]:
    def read(n_train: int, n_test: int) -> Table1Task:
        arrays = np.load(find_file(file))
        train, test = (
            image_mudata(
                arrays[f"x_{part}"][:n],
                arrays[f"y_{part}"][:n],
                pixels=pixels,
                n_classes=10,
                seed=seed,
            )
            for seed, (part, n) in enumerate((("train", n_train), ("test", n_test)))
        )
        return Table1Task(
            train=train, test=test, modalities={"image": "bernoulli", "label": "categorical"},
            label_key="class", model=_paper_model("label"), training=PAPER_TRAINING, shown=shown,
            is_image=True,
        )  # fmt: skip

    return read


def _several_digits(n_train: int, n_test: int) -> Table1Task:
    arrays = np.load(find_file("mnist_full.npz"))
    train, test = (
        compose_digits(arrays[f"x_{part}"], arrays[f"y_{part}"], n_obs=n, seed=seed)
        for seed, (part, n) in enumerate((("train", n_train), ("test", n_test)))
    )
    return Table1Task(
        train=train, test=test, modalities={"image": "bernoulli", "text": "bernoulli"},
        label_key=None, model=_paper_model("text"), training=PAPER_TRAINING, is_image=True,
        n_places=4,
    )  # fmt: skip


def _paper_model(second: str) -> dict[str, Any]:
    weights = {"image": 1.0, second: PAPER_WEIGHTS[second]}
    return {**PAPER_MODEL, "modality_weights": weights}


def _rna_and_protein(n_train: int, n_test: int) -> Table1Task:
    mdata = _pbmc10k()
    train, test = _split(mdata, n_train, n_test)
    return Table1Task(
        train=train, test=test, modalities={"rna": "nb", "prot": "nb"}, label_key="cell_type"
    )


def _rna_and_text(n_train: int, n_test: int) -> Table1Task:
    mdata = _pbmc10k()
    term_of = {label: of.term for label, of in PARAPHRASES["pbmc10k"].items()}
    kinds = mdata.obs["cell_type"].astype(str)
    mdata.obs["description"] = [
        ontology_terms()[term_of[kind]]["definition"] if kind in term_of else None for kind in kinds
    ]
    add_text_modality(mdata, "description", name="text")
    described = mdata[mdata.obs["description"].notna()].copy()
    del described.mod["prot"]
    train, test = _split(described, n_train, n_test)
    return Table1Task(
        train=train, test=test, modalities={"rna": "nb", "text": "bernoulli"},
        label_key="cell_type",
    )  # fmt: skip


def _pbmc10k() -> MuData:
    import mudata

    return mudata.read_h5mu(find_file("citeseq_pbmc10k_totalvi.h5mu"))


def _split(mdata: MuData, n_train: int, n_test: int) -> tuple[MuData, MuData]:
    order = np.random.default_rng(0).permutation(mdata.n_obs)
    size = int(TEST_SHARE * len(order))
    return mdata[order[size:][:n_train]].copy(), mdata[order[:size][:n_test]].copy()


READERS: dict[str, Callable[[int, int], Table1Task]] = {
    "binarymnist": _labelled("mnist_full.npz", "sampled", "5"),
    "mnist": _labelled("mnist_full.npz", "grey", "5"),
    "fashionmnist": _labelled("fashion_mnist_full.npz", "grey", "9"),
    "multimnist": _several_digits,
    "pbmc10k-protein": _rna_and_protein,
    "pbmc10k-text": _rna_and_text,
}
"""Reads at most so many training and test observations of a data set."""
