"""Cells that consist of a text alone, to generate from."""

from collections.abc import Sequence

import pandas as pd
from anndata import AnnData
from mudata import MuData

from hzau_omics.data import DataLayout
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.text.modality import TextModality


def cells_of_texts(
    layout: DataLayout, text: TextModality, texts: Sequence[str], batch: str
) -> MuData:
    """Return cells with a text and no other modality, in the registered layout.

    Parameters
    ----------
    layout
        The registered layout.
    text
        The text modality.
    texts
        Texts, which become the names of the cells.
    batch
        Batch of the cells. Categorical covariates take their first category, continuous ones their
        mean.

    Raises
    ------
    ConfigError
        A text occurs twice.
    DataContractError
        Nothing of a text is understood.
    """
    if len(set(texts)) < len(texts):
        twice = next(one for one in texts if list(texts).count(one) > 1)
        msg = (
            f"Each text must occur once. Received {twice[:80]!r} several times. To draw more cells "
            "from it, raise n_samples."
        )
        raise ConfigError(msg)
    registered = layout.modality(text.name)
    names = pd.Index([str(one) for one in texts], dtype=str)
    obs = pd.DataFrame(index=names)
    if layout.batch.key is not None:
        obs[layout.batch.key] = batch
    for column in layout.categorical_covariates:
        obs[str(column.key)] = column.categories[0]
    for covariate in layout.continuous_covariates:
        obs[covariate.key] = covariate.mean
    values = text.encode(texts)[:, text.columns]
    layer = registered.spec.layer
    adata = AnnData(
        values,
        obs=pd.DataFrame(index=names),
        var=pd.DataFrame(index=pd.Index(registered.var_names, dtype=str)),
        layers={} if layer is None else {layer: values},
    )
    mdata = MuData({text.name: adata})
    mdata.obs = obs.reindex(mdata.obs_names)
    return mdata
