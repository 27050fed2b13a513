"""totalVI of scvi-tools, with its defaults: early stopping, and adversary where protein is missing.

A batch in which a protein is 0 everywhere counts as one that did not measure it: so totalVI takes
panels that differ, and cells without protein.
"""

import numpy as np
import pandas as pd
import scvi
from anndata import AnnData

from benchmarks.integration.methods.exchange import PROTEIN, RNA, Cells, Embedding
from benchmarks.integration.methods.training import cut_short, quiet, time_limit

PACKAGES = ("scvi-tools", "torch")


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Train, and give means of the latent of each cell."""
    quiet()
    scvi.settings.seed = seed
    # Cells of one batch may differ in whether they have protein; totalVI asks batch by batch.
    adata = AnnData(
        cells.counts[RNA].astype(np.float32),
        obs=pd.DataFrame({"batch": cells.group}, index=cells.names),
        obsm={
            "protein": pd.DataFrame(
                cells.counts[PROTEIN].toarray(), cells.names, cells.features[PROTEIN]
            )
        },
    )
    scvi.model.TOTALVI.setup_anndata(
        adata, batch_key="batch", protein_expression_obsm_key="protein"
    )
    model = scvi.model.TOTALVI(adata)
    model.train(enable_progress_bar=False, max_time=time_limit(seconds))
    return Embedding(
        joint=model.get_latent_representation(),
        cut=cut_short(model.trainer, seconds),
        info={"epochs": len(model.history["elbo_train"])},
    )
