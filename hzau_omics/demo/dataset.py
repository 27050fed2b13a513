"""Data of the demo: the bundled mosaic, with the protein of some paired cells hidden."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData

from hzau_omics.data import load
from hzau_omics.pp import add_text_modality

DATASET = "pbmc_mosaic"
HIDDEN_SHARE = 0.25
TEXT = "text"


@dataclass(frozen=True)
class DemoData:
    """Data that the model sees, and data hidden from it for evaluation.

    Attributes
    ----------
    mdata
        RNA, protein and text. The hidden cells lack the modality protein.
    hidden
        Names of the paired cells whose protein was hidden.
    hidden_protein
        Their measured protein counts, in the order of `hidden`.
    """

    mdata: MuData
    hidden: pd.Index
    hidden_protein: AnnData


def prepare(seed: int) -> DemoData:
    """Hide the protein of a quarter of the paired cells, and add the text modality."""
    full = load(DATASET)
    rna, adt = full["rna"], full["adt"]
    paired = rna.obs_names[rna.obs_names.isin(adt.obs_names)]
    order = np.random.default_rng(seed).permutation(len(paired))
    hidden = paired[np.sort(order[: int(HIDDEN_SHARE * len(paired))])]
    kept = adt.obs_names[~adt.obs_names.isin(hidden)]
    mdata = MuData({"rna": rna.copy(), "adt": adt[kept].copy()})
    for column in full.obs.columns:
        mdata.obs[column] = full.obs[column].reindex(mdata.obs_names)
    add_text_modality(mdata, "description", name=TEXT)
    return DemoData(mdata, hidden, adt[hidden].copy())
