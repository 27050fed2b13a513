"""Every method of a trained model, asked about held-out cells; and save and load."""

import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from anndata import AnnData
from mudata import MuData

from benchmarks.gpu.record import Figure
from benchmarks.gpu.setting import Setting
from benchmarks.gpu.training import trained, wait_for_device
from hzau_omics.model import HZAUVAE
from hzau_omics.pp import add_text_modality

EPOCHS = 2
_logger = logging.getLogger("benchmarks.gpu")


def measure(setting: Setting) -> Iterator[Figure]:
    """Train for two epochs on RNA, protein and cell types as texts; give the seconds of each call.

    Raises
    ------
    RuntimeError
        If a method failed, once all were tried.
    """
    split = setting.split()
    train = described(split.train)
    test = described(split.test, train["text"])
    model, seconds = trained(train, setting, EPOCHS, early_stopping=False)
    yield Figure(name="two epochs, compiling included", value=seconds, unit="s")
    yield Figure(name="device of the weights", value=str(model.device))
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for name, call in calls(model, train, test, Path(folder)).items():
            start = time.perf_counter()
            try:
                check(call())
                wait_for_device()
            except Exception:
                _logger.exception("%s failed", name)
                failed.append(name)
            else:
                yield Figure(name=name, value=time.perf_counter() - start, unit="s")
    if failed:
        message = f"{len(failed)} methods failed: {', '.join(failed)}"
        raise RuntimeError(message)


def described(mdata: MuData, vocabulary: AnnData | None = None) -> MuData:
    """Return a copy with a text modality: the name of each cell's type."""
    mdata = mdata.copy()
    add_text_modality(mdata, "cell_type", vocabulary=vocabulary)
    return mdata


def calls(
    model: HZAUVAE, train: MuData, test: MuData, folder: Path
) -> Mapping[str, Callable[[], Any]]:
    """Return all questions to a model of RNA, protein and text by name."""
    words = list(dict.fromkeys(test.obs["cell_type"].astype(str)))[:2]
    saved = folder / "model"

    def load() -> Any:
        model.save(saved)
        again = HZAUVAE.load(saved, train)
        found, expected = (m.get_latent_representation(test) for m in (again, model))
        np.testing.assert_allclose(found, expected, atol=1e-5)
        return found

    def foreground() -> Any:
        """Train a mixture: only it tells background from foreground."""
        HZAUVAE.setup_mudata(mixed := train.copy(), {"rna": "nb", "prot": "nb_mixture"})
        mixture_model = HZAUVAE(mixed)
        accelerator = "cpu" if model.device.type == "cpu" else "gpu"
        mixture_model.train(1, accelerator=accelerator, seed=0, enable_progress_bar=False)
        return mixture_model.get_protein_foreground_probability("prot", test)

    return {
        "get_latent_representation": lambda: model.get_latent_representation(test),
        "get_latent_representation, drawn": lambda: model.get_latent_representation(
            test, give_mean=False
        ),
        "get_gate_weights": lambda: model.get_gate_weights(test, level="expert", kind="precision"),
        "get_reliability": lambda: model.get_reliability(test),
        "get_agreement": lambda: model.get_agreement(test, kind="pvalue"),
        "get_novelty": lambda: model.get_novelty(test),
        "differential_expression": lambda: model.differential_expression(
            "rna", "cell_type", mdata=test
        ),
        "get_feature_correlation_matrix": lambda: model.get_feature_correlation_matrix(
            {"prot": None}, test
        ),
        "get_elbo": lambda: model.get_elbo(test),
        "get_reconstruction_error": lambda: model.get_reconstruction_error(test),
        "get_marginal_ll": lambda: model.get_marginal_ll(test, n_samples=5),
        "get_log_importance_weights": lambda: model.get_log_importance_weights(
            test, given="rna", target="conditional", n_samples=5
        ),
        "get_normalized_expression": lambda: model.get_normalized_expression("rna", test),
        "get_latent_library_size": lambda: model.get_latent_library_size(test),
        "get_protein_foreground_probability": foreground,
        "posterior_predictive_sample": lambda: model.posterior_predictive_sample(
            "prot", test, n_samples=2
        ),
        "get_pit": lambda: model.get_pit("prot", test, given=["rna"]),
        "impute": lambda: model.impute("prot", test, given=["rna"]).layers["log1p_mean"],
        "write_imputed": lambda: model.write_imputed(
            folder / "imputed.zarr", "prot", test, given=["rna"]
        ),
        "sample": lambda: model.sample(5, "rna").X,
        "generate, given cells": lambda: model.generate("prot", test).X,
        "generate, given a text": lambda: model.generate("rna", text=words[0], n_samples=5).X,
        "query_text": lambda: model.query_text(words, test, given=["rna", "prot"]),
        "get_text_probabilities": lambda: model.get_text_probabilities(words, test),
        "describe": lambda: model.describe(mdata=test, top=2),
        "to_anndata": lambda: model.to_anndata(test, modality="prot").X,
        "annotate": lambda: model.annotate(train),
        "save and load": load,
    }


def check(answer: Any) -> None:
    """Refuse an answer with numbers that are not finite."""
    values = list(answer.values()) if isinstance(answer, dict) else answer
    numbers = getattr(values, "to_numpy", lambda: values)()
    numbers = numbers.toarray() if hasattr(numbers, "toarray") else np.asarray(numbers)
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        share = 1 - np.isfinite(numbers).mean()
        message = f"{share:.1%} of the numbers are not finite"
        raise FloatingPointError(message)
