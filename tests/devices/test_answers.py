"""Every answer of a model on a pretended device is the one that it gives on the CPU."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData

from hzau_omics.model import HZAUVAE, answers
from tests.devices.conftest import KINDS
from tests.devices.machine import pretended_device

FROM_RNA = {"given": "rna"}
FROM_ADT = {"conditions": "adt"}
SEEDED = {"n_samples": 3, "seed": 1}
CALLS = {
    "annotate": [{}],
    "describe": [{"candidates": KINDS, "n_samples": 3}],
    "differential_accessibility": [{"modality": "text", "groupby": "cell_type", "seed": 1}],
    "differential_expression": [{"modality": "adt", "groupby": "cell_type", **SEEDED}],
    "generate": [{"modality": "adt", "conditions": "rna", **SEEDED}],
    "get_agreement": [{}, {"kind": "pvalue"}],
    "get_elbo": [{"return_mean": False, **SEEDED}],
    "get_feature_correlation_matrix": [SEEDED],
    "get_gate_weights": [{}, {"level": "expert"}, {"kind": "precision"}, FROM_RNA],
    "get_latent_representation": [
        {},
        FROM_RNA,
        {"return_dist": True},
        {"give_mean": False, "seed": 1},
    ],
    "get_latent_library_size": [{}],
    "get_log_importance_weights": [
        {"target": target, "proposal": proposal, **FROM_RNA, **SEEDED}
        for target, proposal in [("marginal", "given"), ("joint", "all"), ("conditional", "given")]
    ],
    "get_marginal_ll": [{"return_mean": False, **SEEDED}],
    "get_normalized_expression": [{"modality": "rna", **SEEDED}],
    "get_novelty": [{}, FROM_RNA],
    "get_pit": [{"modality": "adt", **FROM_RNA, **SEEDED}],
    "get_reconstruction_error": [SEEDED],
    "get_reliability": [{}],
    "get_text_probabilities": [{"candidates": KINDS, "n_samples": 3}],
    "impute": [{"modality": "adt", **FROM_RNA, **SEEDED}, {"modality": "rna", **SEEDED}],
    "posterior_predictive_sample": [{"modality": "adt", **FROM_RNA, **SEEDED}],
    "predict_labels": [{}, {"soft": False, "coverage": 0.5}, FROM_RNA],
    "query_text": [{"query": KINDS[0], "n_samples": 3}],
    "sample": [{"n_samples": 5, "seed": 1}, {"n_samples": 5, "modality": "adt", "seed": 1}],
    "to_anndata": [{}],
}
CASES = [
    pytest.param(name, call, id=f"{name}-{i}")
    for name, calls in CALLS.items()
    for i, call in enumerate(calls)
]
RANKED = {"get_reliability", "get_agreement", "get_novelty"}
DRAWN = {"generate", "get_pit", "impute", "posterior_predictive_sample", "sample"}
BATCHES = ["batch_0", "batch_2"]
OF_BATCHES = {
    "generate": {"modality": "rna", "transform_batch": "batch_1", **FROM_ADT, **SEEDED},
    "get_elbo": SEEDED,
    "get_latent_representation": {},
    "get_normalized_expression": {
        "modality": "adt",
        "transform_batch": ["batch_0", "batch_2"],
        **SEEDED,
    },
    "get_pit": {"modality": "adt", **FROM_RNA, **SEEDED},
    "get_reliability": {},
    "impute": {"modality": "adt", "transform_batch": "batch_2", **SEEDED},
}


def numbers(answer: Any) -> dict[str, np.ndarray]:
    """Return the numbers of an answer by their place."""
    match answer:
        case MuData():
            parts: Mapping[Any, Any] = {**answer.mod, **answer.obsm}
        case AnnData():
            parts = {"X": answer.X, **answer.layers, **answer.obsm}
        case pd.DataFrame():
            parts = {name: answer[name] for name in answer.select_dtypes("number")}
        case tuple() | list():
            parts = dict(enumerate(answer))
        case Mapping():
            parts = answer
        case None:
            return {}
        case _:
            values = answer.toarray() if hasattr(answer, "toarray") else answer
            return {"": np.asarray(values, dtype=float)}
    return {f"{k} {place}": x for k, part in parts.items() for place, x in numbers(part).items()}


def ask(model: HZAUVAE, name: str, call: dict[str, Any]) -> dict[str, np.ndarray]:
    """Return the numbers of an answer; of `annotate`, what it writes."""
    answer = getattr(model, name)(**call)
    return numbers(model.adata if name == "annotate" else answer)


def check_same(model: HZAUVAE, name: str, call: dict[str, Any]) -> None:
    if name == "generate":
        cells = model.adata
        measured = cells.obs_names.isin(cells[call["conditions"]].obs_names)
        call = {"given": cells[measured][:20], **call}
    with pretended_device():
        model.to_device("cuda:0")
        found = ask(model, name, call)
        model.to_device("cpu")
    expected = ask(model, name, call)
    assert found
    assert set(found) == set(expected)
    for place, values in expected.items():
        assert found[place].shape == values.shape
        assert (np.isnan(found[place]) == np.isnan(values)).all(), place
        if name in DRAWN or "q_value" in place:
            # A device draws with numbers of its own; a q-value hangs on all ranks.
            continue
        same = np.isclose(found[place], values, rtol=2e-3, atol=1e-4, equal_nan=True)
        # The rank of a cell among cells of which it is one itself hangs on its last digit.
        words = ("reliability", "agreement", "novelty")
        ranked = name in RANKED or any(word in place for word in words)
        assert same.mean() >= (0.8 if ranked else 1), place


@pytest.mark.parametrize(("name", "call"), CASES)
def test_an_answer_is_that_of_the_cpu(fitted, name, call):
    check_same(fitted("texts").model, name, call)


@pytest.mark.parametrize("name", OF_BATCHES)
def test_an_answer_about_batches_and_panels_is_that_of_the_cpu(fitted, name):
    check_same(fitted("mosaic").model, name, OF_BATCHES[name])


def test_every_answer_is_asked_for():
    public = {
        name
        for name in dir(HZAUVAE)
        if str(getattr(getattr(HZAUVAE, name), "__module__", None)).startswith(answers.__name__)
        and not name.startswith("_")
    }
    # `write_imputed` writes what `impute` answers, and a report shows answers.
    others = {"write_imputed", "report", "report_content"}
    # Of this, the fitted models have no likelihood.
    others |= {"get_protein_foreground_probability"}
    assert public - others == set(CALLS)
