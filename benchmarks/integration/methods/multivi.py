"""MultiVI of scvi-tools, with its defaults and early stopping: missing modalities are zeros."""

import numpy as np
import pandas as pd
import scvi
from anndata import AnnData
from mudata import MuData

from benchmarks.integration.methods.exchange import CHROMATIN, RNA, Cells, Embedding, spread
from benchmarks.integration.methods.training import cut_short, quiet, time_limit

PACKAGES = ("scvi-tools", "torch")
VIEWS = {RNA: "expression", CHROMATIN: "accessibility"}


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Train, and give means of the latent from both modalities and from each alone."""
    quiet()
    scvi.settings.seed = seed
    batch = pd.DataFrame({"batch": cells.group}, index=cells.names)
    mdata = MuData(
        {
            m: AnnData(
                cells.counts[m].astype(np.float32),
                obs=batch.copy(),
                var=pd.DataFrame(index=cells.features[m]),
            )
            for m in (RNA, CHROMATIN)
        }
    )
    mdata.obs["batch"] = batch["batch"]
    scvi.model.MULTIVI.setup_mudata(
        mdata, batch_key="batch", modalities={"rna_layer": RNA, "atac_layer": CHROMATIN}
    )
    model = scvi.model.MULTIVI(mdata)
    model.train(enable_progress_bar=False, max_time=time_limit(seconds))
    alone = {}
    for m, view in VIEWS.items():
        rows = cells.rows(m)
        alone[m] = spread(model.get_latent_representation(modality=view)[rows], rows, cells.n)
    return Embedding(
        joint=model.get_latent_representation(),
        alone=alone,
        cut=cut_short(model.trainer, seconds),
        info={"epochs": len(model.history["elbo_train"])},
    )
