"""Cells of the scoreboard: the demo with named descriptions, and two batches, paired or mosaic."""

import mudata
import numpy as np
from mudata import MuData

from benchmarks.common.data import find_file
from benchmarks.scoreboard.tasks import TWO_BATCHES
from hzau_omics.demo.dataset import TEXT, DemoData, prepare
from hzau_omics.pp import add_text_modality

HIDDEN_DESCRIPTIONS = 0.2
NAMES = {
    "B": "B cell", "Mono": "monocyte", "NK": "natural killer cell", "DC": "dendritic cell",
    "CD4 T": "CD4-positive, alpha-beta T cell", "CD8 T": "CD8-positive, alpha-beta T cell",
}  # fmt: skip
"""What the types of the demo are called in the Cell Ontology; its descriptions do not say it."""


def named_demo(seed: int) -> DemoData:
    """Return the demo's cells, names put before descriptions, a fifth of these hidden too."""
    data = prepare(seed)
    mdata = data.mdata
    del mdata.mod[TEXT]
    mdata.update()
    text = mdata.obs["description"].astype(object).to_numpy(copy=True)
    label = mdata.obs["cell_type"].astype(str).to_numpy()
    described = np.flatnonzero(mdata.obs["description"].notna())
    for cell in described:
        text[cell] = f"{NAMES.get(label[cell], '')} {text[cell]}"
    rng = np.random.default_rng(seed)
    hidden = rng.permutation(described)[: int(HIDDEN_DESCRIPTIONS * len(described))]
    text[hidden] = None
    mdata.obs["description"] = text
    add_text_modality(mdata, "description", name=TEXT)
    return data


def two_batches(cells: int) -> MuData:
    """Return as many cells of each of the two batches of PBMCs, at most so many together."""
    mdata = mudata.read_h5mu(find_file(TWO_BATCHES))
    batch = mdata.obs["batch"].astype(str).to_numpy()
    names = np.unique(batch)
    rng = np.random.default_rng(0)
    chosen = [
        rng.permutation(np.flatnonzero(batch == name))[: cells // len(names)] for name in names
    ]
    return mdata[np.sort(np.concatenate(chosen))].copy()


def as_mosaic(mdata: MuData) -> MuData:
    """Take protein from half the cells of the first batch, and RNA from half of the second."""
    batch = mdata.obs["batch"].astype(str).to_numpy()
    first = np.unique(batch)[0]
    half = np.random.default_rng(0).random(mdata.n_obs) < 0.5
    lacking = {"prot": half & (batch == first), "rna": half & (batch != first)}
    parts = {
        name: adata[mdata.obs_names[~lacking[name]]].copy() for name, adata in mdata.mod.items()
    }
    mosaic = MuData(parts)
    for column in ("batch", "cell_type"):
        mosaic.obs[column] = mdata.obs[column].reindex(mosaic.obs_names)
    return mosaic
