"""Batches of one tissue that differ in staining and depth share a latent after training."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData
from sklearn.neighbors import NearestNeighbors

from hzau_omics.model import HZAUVAE

PAIR = {"rna": "nb", "adt": "nb"}
KINDS, ALONE = 4, 3
"""Kinds of cells; one batch alone has the last of them."""


def two_batches(n_cells=500):
    """Cells of which the second batch has other stainings, half the depth, and lacks a kind."""
    rng = np.random.default_rng(0)
    batch = np.arange(n_cells) % 2
    kind = rng.integers(0, ALONE, n_cells)
    kind[(batch == 0) & (rng.random(n_cells) < 0.15)] = ALONE
    parts = {}
    for name, n_features, mean in (("rna", 60, 3.0), ("adt", 12, 20.0)):
        profile = mean * np.exp(rng.normal(0, 0.8, (KINDS, n_features)))
        staining = np.exp(rng.normal(0, 0.7, n_features))
        rate = profile[kind] * np.where(batch[:, None] == 1, 0.5 * staining, 1.0)
        rate *= np.exp(rng.normal(0, 0.2, (n_cells, 1)))
        parts[name] = AnnData(
            rng.poisson(rate).astype(np.float32),
            pd.DataFrame(index=[f"c{i}" for i in range(n_cells)]),
        )
    mdata = MuData(parts)
    mdata.obs["batch"] = pd.Categorical(np.array(["first", "second"])[batch])
    return mdata, batch, kind


def near(latent):
    found = NearestNeighbors(n_neighbors=16).fit(latent).kneighbors(return_distance=False)
    return found[:, 1:]


@pytest.fixture(scope="module")
def latents():
    mdata, batch, kind = two_batches()
    HZAUVAE.setup_mudata(mdata, PAIR, batch_key="batch")
    found = {}
    for name, plan in {"mixed": {}, "not mixed": {"mixing": 0}}.items():
        model = HZAUVAE(mdata, n_latent=6, n_hidden=32)
        model.train(
            max_epochs=60, batch_size=64, seed=0, accelerator="cpu", early_stopping=False,
            enable_progress_bar=False, plan_kwargs=plan,
        )  # fmt: skip
        found[name] = model.get_latent_representation()
    return found, batch, kind


def test_kinds_that_both_batches_have_mix(latents):
    found, batch, kind = latents
    shared = kind != ALONE

    def share(latent):
        return (batch[near(latent)] != batch[:, None])[shared].mean()

    even = 0.5
    assert share(found["mixed"]) > 0.7 * even
    assert share(found["mixed"]) > share(found["not mixed"]) + 0.1


def test_kinds_stay_apart_also_one_that_a_single_batch_has(latents):
    found, _, kind = latents
    same = kind[near(found["mixed"])] == kind[:, None]
    assert same.mean() > 0.9
    # 31 of 500 cells: by chance it would be 0.06.
    assert same[kind == ALONE].mean() > 0.4
