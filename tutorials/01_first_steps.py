# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # First steps: one embedding for cells with different modalities
#
# The data are 1,600 blood cells from four batches. Some have RNA only, some surface protein only,
# some both, and half have a short description in words. We train one model on all of them, look at
# the shared embedding, ask how much each modality counts for a cell, and impute protein where it
# was not measured, with intervals that say how certain the imputation is.
#
# The tutorial runs offline.

# %%
import numpy as np
import scanpy as sc

import hzau_omics as ho

# %% [markdown]
# ## The data
#
# `ho.data.load` returns a MuData. It is a mosaic: `rna` and `adt` hold different sets of cells, and
# missing measurements are not padded with zeros. `obsmap` says which cell is in which modality.

# %%
mdata = ho.data.load("pbmc_mosaic")
mdata

# %% [markdown]
# The column `description` holds free text: a definition of the cell type from the Cell Ontology. It
# is empty for half of the cells. It becomes a modality of its own, which cells without text lack.
# Beware of leakage: text derived from a label contains the label, so evaluate anything about labels
# on cells without text.

# %%
ho.pp.add_text_modality(mdata, "description", name="text")
mdata["text"].var_names[:10].tolist()

# %% [markdown]
# ## The model
#
# Name the modalities and their likelihoods: negative binomial for the counts of RNA and protein,
# Bernoulli for the presence of words. Invalid data (fractional counts, NaN, cells without any
# measurement) are reported here, before training.

# %%
ho.model.HZAUVAE.setup_mudata(
    mdata,
    modalities={"rna": "nb", "adt": "nb", "text": "bernoulli"},
    batch_key="batch",
    labels_key="cell_type",
)
model = ho.model.HZAUVAE(mdata)
model

# %% [markdown]
# Look at the validation curve of the negative ELBO (cells that are not trained on): training was
# long enough where it is flat. The dashed line marks its lowest point. At the right edge it says
# that a few more epochs would still have helped; we stop early to keep the tutorial short.

# %%
model.train(max_epochs=40, seed=0)
ho.pl.training(model.history)

# %% [markdown]
# ## The shared embedding
#
# `annotate` writes the embedding, gate weights and reliability into `obsm` of the MuData and of
# each modality. `to_anndata` returns one AnnData with all cells, including those without RNA, for
# use with scanpy.
#
# In the first panel each cell type should have a place of its own; in the second and third, each of
# these places should hold all batches, and cells of whatever modalities. A UMAP distorts distances:
# it shows neighbours, and little else.

# %%
model.annotate(mdata)
adata = model.to_anndata()
sc.pp.neighbors(adata, use_rep="X_hzau")
sc.tl.umap(adata, random_state=0)
ho.pl.umap(adata, color=["cell_type", "batch", "modalities"])

# %% [markdown]
# ## How much each modality counts
#
# The gate weights of a cell sum to 1 and are 0 for modalities that it lacks. They say how much the
# embedding relies on each modality. A low weight does not prove that a measurement is wrong. The
# bars are means over the cells that have both RNA and protein; `given=` leaves the text out.

# %%
weights = model.get_gate_weights(given=["rna", "adt"])[["rna", "adt"]]
both = (weights > 0).all(axis=1)
ho.pl.gate(weights[both], adata.obs["cell_type"][both])

# %% [markdown]
# ## Imputing protein from RNA
#
# `impute` draws from the posterior predictive distribution and returns its mean (in counts), its
# quantiles, and the mean of log1p of the draws.

# %%
protein = model.impute("adt", given=["rna"], n_samples=50, quantiles=(0.05, 0.95), seed=0)
protein

# %% [markdown]
# Are the intervals calibrated? The probability integral transform (PIT) is the position of a
# measured value within its predictive distribution. For a calibrated model it is uniform, and 90 %
# of the values lie between 0.05 and 0.95. High bars at both ends mean that intervals are too
# narrow, a slope that predictions are too high or too low. Most of these cells were used in
# training, so this is only a sanity check; `python -m benchmarks.imputation` uses held-out cells.

# %%
pit = model.get_pit("adt", given=["rna"], n_samples=50, seed=0)
inside = pit.notna().to_numpy() & (pit >= 0.05).to_numpy() & (pit <= 0.95).to_numpy()
coverage = inside.sum() / pit.notna().to_numpy().sum()
print(f"90 % intervals cover {coverage:.1%} of the measured values")
ho.pl.pit(pit)

# %% [markdown]
# ## Saving the model
#
# A saved model consists of JSON and safetensors files. It can be loaded in a new process without
# the data, and applied to other cells: features are matched by name, and modalities may be missing.

# %%
import tempfile
from pathlib import Path

with tempfile.TemporaryDirectory() as folder:
    model.save(Path(folder) / "model")
    reopened = ho.model.HZAUVAE.load(Path(folder) / "model")
    again = reopened.get_latent_representation(mdata)
assert np.allclose(again, mdata.obsm["X_hzau"], atol=1e-5)
