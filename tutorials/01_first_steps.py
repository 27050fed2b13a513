# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # First steps: one map for cells that were measured in different ways
#
# We take 1,600 blood cells of four batches. Some have RNA only, some surface protein only, some
# have both, and half carry a short description in words. We train one model on all of them, look at
# the shared map, ask which measurement each cell's position rests on, and predict the protein that
# a cell lacks, with an interval that says how sure the model is.
#
# Everything here runs offline, in about a minute on two processor cores.

# %%
import matplotlib.pyplot as plt
import numpy as np
import scanpy as sc

import hzau_omics as ho

# %% [markdown]
# ## The data
#
# `ho.data.load` gives a MuData. It is a mosaic: `rna` and `adt` hold different sets of cells, and
# nothing is padded. `obsmap` says which cell has what.

# %%
mdata = ho.data.load("pbmc_mosaic")
mdata

# %% [markdown]
# The column `description` holds free text, a definition of the cell's type from the Cell Ontology,
# and is empty for half of the cells. It becomes a modality of its own; cells without text simply
# lack it. Mind the leak: text made from a label contains the label, so anything about labels must
# be judged on cells without text.

# %%
ho.pp.add_text_modality(mdata, "description", name="text")
mdata["text"].var_names[:10].tolist()

# %% [markdown]
# ## The model
#
# Name the modalities and how their values are distributed: negative binomial counts for RNA and
# protein, present or absent for words. Bad data (fractional counts, NaN, a cell with nothing) is
# reported here, before any training.

# %%
ho.model.HZAUVAE.setup_mudata(
    mdata,
    modalities={"rna": "nb", "adt": "nb", "text": "bernoulli"},
    batch_key="batch",
    labels_key="cell_type",
)
model = ho.model.HZAUVAE(mdata)
model

# %%
model.train(max_epochs=40, seed=0)
ho.pl.training(model.history)

# %% [markdown]
# ## The shared map
#
# `annotate` writes the embedding and the gate weights into `obsm`, of the MuData and of each
# modality. `to_anndata` gives one AnnData with all cells, also those without RNA, and scanpy takes
# over.

# %%
model.annotate(mdata)
adata = model.to_anndata()
sc.pp.neighbors(adata, use_rep="X_hzau")
sc.tl.umap(adata, random_state=0)
ho.pl.umap(adata, color=["cell_type", "batch", "modalities"])

# %% [markdown]
# ## Which measurement to listen to
#
# Gate weights sum to 1 in every cell and are 0 for what it lacks. They say what the embedding rests
# on; they do not prove that the other measurement is wrong.

# %%
weights = model.get_gate_weights(given=["rna", "adt"])[["rna", "adt"]]
both = (weights > 0).all(axis=1)
ho.pl.gate(weights[both], adata.obs["cell_type"][both])

# %% [markdown]
# ## Protein for cells that have RNA only
#
# `impute` draws from the predictive distribution: its mean (in counts), quantiles, and the mean of
# log1p of the draws.

# %%
protein = model.impute("adt", given=["rna"], n_samples=50, quantiles=(0.05, 0.95), seed=0)
protein

# %% [markdown]
# Are the intervals honest? Each measured value is placed in its predictive distribution. For a
# calibrated model the places are uniform, and nine of ten lie between 0.05 and 0.95. These cells
# took part in training, so this is a sanity check; `benchmarks/imputation.py` uses held-out cells.

# %%
pit = model.get_pit("adt", given=["rna"], n_samples=50, seed=0)
inside = pit.notna().to_numpy() & (pit >= 0.05).to_numpy() & (pit <= 0.95).to_numpy()
coverage = inside.sum() / pit.notna().to_numpy().sum()
print(f"90 % intervals cover {coverage:.1%} of the measured values")
ho.pl.pit(pit)

# %% [markdown]
# ## Keep the model
#
# A saved model is JSON and safetensors. It opens in a new process without the data, and works on
# other cells: features are matched by name, and modalities may be missing.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / "model")
    reopened = ho.model.HZAUVAE.load(Path(folder) / "model")
    again = reopened.get_latent_representation(mdata)
assert np.allclose(again, mdata.obsm["X_hzau"], atol=1e-5)
plt.close("all")
