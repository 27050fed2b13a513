"""Reliability tells failed measurements from good ones, or not, and this is measured."""

from typing import Any

import numpy as np
import torch

import hzau_omics as ho
from hzau_omics.model.answers.recognition import recognition
from hzau_omics.model.training.corruption import make_corruptor


def test_it_is_chance_where_reliability_says_nothing_and_1_where_it_says_all(
    monkeypatch: Any,
) -> None:
    mdata = ho.data.simulate(n_obs=120, seed=0)
    ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model = ho.model.HZAUVAE(mdata, n_latent=3, n_hidden=8)
    store = model._store
    corruptor = make_corruptor(store, np.arange(60), 0.1, 0)
    calls = []

    def reliability_of(scores: Any) -> torch.Tensor:
        # Good and failed minibatches come in turn.
        calls.append(len(calls))
        n = len(scores.evidence.batch)
        return torch.full((n, 2), 0.5) if constant else torch.full((n, 2), float(len(calls) % 2))

    monkeypatch.setattr("hzau_omics.model.answers.recognition.reliability_of", reliability_of)
    unseen = np.arange(60, 120)
    constant = True
    found = recognition(model.module, store, corruptor, unseen, seed=0)
    assert found == {"rna": 0.5, "adt": 0.5}
    constant = False
    found = recognition(model.module, store, corruptor, unseen, seed=0)
    assert found == {"rna": 1.0, "adt": 1.0}
    few = recognition(model.module, store, corruptor, unseen[:20], seed=0)
    assert few == {}
