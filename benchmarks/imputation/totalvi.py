"""totalVI (scvi-tools) as the reference for RNA to protein imputation.

Its published way of imputing protein: the held-out cells are registered as a second batch whose
protein is all zero, which totalVI reads as "not measured" (masked in the loss), and the values are
decoded as if the cells came from the batch with protein. So totalVI sees the RNA of the held-out
cells during training (transductive), an advantage over methods that see only training cells.
Everything else is its default (adversarial classifier between the two batches, early stopping,
learning rate schedule), except for the number of epochs.
"""

import warnings

import mudata
import numpy as np
import pandas as pd
from anndata import AnnData

from benchmarks.common.data import Split
from benchmarks.imputation.scores import Prediction

MEASURED, MISSING = "with_protein", "without_protein"


def joint_mudata(split: Split) -> mudata.MuData:
    """Put training and held-out cells together; ``batch`` says which, held-out protein is zero."""
    rna = _stack(split.train[split.source], split.test[split.source])
    protein = _stack(split.train[split.target], split.test[split.target])
    n_train = split.train.n_obs
    values = np.zeros(protein.shape, dtype=np.float32)
    values[:n_train] = split.train_y
    protein.X = values
    batch = np.repeat([MEASURED, MISSING], [n_train, split.test.n_obs])
    for part in (rna, protein):
        part.obs["batch"] = pd.Categorical(batch)
    return mudata.MuData({"rna": rna, "protein": protein})


def _stack(first: AnnData, second: AnnData) -> AnnData:
    from scipy import sparse

    x = sparse.vstack([sparse.csr_matrix(first.X), sparse.csr_matrix(second.X)]).tocsr()
    names = first.obs_names.append(second.obs_names)
    return AnnData(x, obs=pd.DataFrame(index=names), var=pd.DataFrame(index=first.var_names))


def totalvi_imputation(
    split: Split,
    *,
    seed: int = 0,
    max_epochs: int | None = 100,
    n_samples: int = 25,
    accelerator: str = "auto",
    adversarial_classifier: bool | None = None,
) -> dict[str, Prediction]:
    """Train totalVI once and impute protein of the held-out cells.

    Returns
    -------
    Two predictions of the same model: ``totalvi`` (log1p of the posterior mean, its usual output)
    and ``totalvi-log1p-mean`` (mean over posterior draws of log1p of the rate). The better is the
    one to beat.
    """
    import scvi

    mdata = joint_mudata(split)
    scvi.settings.seed = seed
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scvi.model.TOTALVI.setup_mudata(
            mdata,
            batch_key="batch",
            modalities={"rna_layer": "rna", "protein_layer": "protein", "batch_key": "rna"},
        )
        model = scvi.model.TOTALVI(mdata)
        model.train(
            max_epochs=max_epochs,
            accelerator=accelerator,
            adversarial_classifier=adversarial_classifier,
            enable_progress_bar=False,
        )
        _, draws = model.get_normalized_expression(
            indices=np.arange(split.train.n_obs, mdata.n_obs),
            transform_batch=MEASURED,
            n_samples=n_samples,
            include_protein_background=True,
            sample_protein_mixing=False,
            return_mean=False,
            return_numpy=True,
        )
    info = {
        "epochs": len(model.history["elbo_train"]),
        "recipe": "held-out cells as a batch without protein (RNA seen, transductive)",
        "adversarial_classifier": adversarial_classifier is not False,
    }
    return {
        "totalvi": Prediction(log1p=np.log1p(draws.mean(axis=-1)), info=info),
        "totalvi-log1p-mean": Prediction(log1p=np.log1p(draws).mean(axis=-1), info=info),
    }
