"""What the columns of ``obs`` and the entries of ``obsm`` mean that results have."""

from collections.abc import Mapping

from anndata import AnnData

OBS: Mapping[str, str] = {
    "observed": "whether the modality was measured in the cell",
    "batch_measured": "whether the batch of the cell had the modality in training; where not, its "
    "depth is unknown, and intervals cover less than they say",
    "modalities": "measured modalities of the cell",
    "hzau_suspicious": "modalities whose measurement more likely failed than not; empty if none",
    "hzau_disagreeing": "pairs of modalities that hardly come from one cell (p-value below 0.01); "
    "empty if none",
    "hzau_novelty": "p-value of the cell being like those of the training: small is novel",
    "hzau_label": "most likely label, or unknown",
    "hzau_label_probability": "probability of the most likely label",
}
"""Column -> its meaning."""

OBSM: Mapping[str, str] = {
    "hzau_gate": "weights of the modalities in the latents; they sum to 1",
    "hzau_reliability": "probability that a measurement can be trusted: 1 is good",
    "hzau_agreement": "p-values of two modalities coming from one cell: small is disagreeing",
    "hzau_novelty": "p-values of the cell being like those of the training: small is novel",
    "hzau_labels": "probabilities of the labels",
}
"""Entry -> its meaning."""


def meaning_of_columns(adata: AnnData, latents: str | None = None) -> dict[str, dict[str, str]]:
    """Return the meaning of the columns of ``obs`` and entries of ``obsm`` that are there.

    Parameters
    ----------
    adata
        Cells with results.
    latents
        Entry of ``obsm`` with the latents; None if they are not there.

    Examples
    --------
    >>> import pandas as pd
    >>> adata = AnnData(obs=pd.DataFrame({"observed": [True]}, index=["c"]))
    >>> meaning_of_columns(adata)
    {'obs': {'observed': 'whether the modality was measured in the cell'}}
    """
    known = OBSM if latents is None else {latents: "latents of the cells", **OBSM}
    found = {
        "obs": {key: text for key, text in OBS.items() if key in adata.obs},
        "obsm": {key: text for key, text in known.items() if key in adata.obsm},
    }
    return {name: texts for name, texts in found.items() if texts}
