# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # A new sample: mapping, labels and novelty
#
# A model that was trained on labelled cells is a reference. A new sample, of another batch and with
# whatever was measured of it, is placed among the reference's cells without any training. We ask
# where its cells lie, which types they are and how sure that is, and which of them the reference
# does not know.
#
# The tutorial runs offline.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scanpy as sc
from mudata import MuData

import hzau_omics as ho

# %% [markdown]
# ## A reference, and a sample that it has not seen
#
# Of the four batches of the bundled blood cells one is kept aside: `p4_0`, with RNA and protein. To
# have something new in it, the B cells are left out of the reference.

# %%
mdata = ho.data.load("pbmc_mosaic")
batch = mdata.obs["batch"].to_numpy()
cell_type = mdata.obs["cell_type"].astype(str).to_numpy()
mdata.obs["label"] = mdata.obs["cell_type"].astype(str).where(cell_type != "other")

NEW, LEFT_OUT = "p4_0", "B"
reference_cells = mdata[(batch != NEW) & (cell_type != LEFT_OUT)].copy()
sample = mdata[batch == NEW].copy()

# %% [markdown]
# Labels are named at set-up; some may be missing. The batch key matters: a batch that the model
# does not know is a new one, whose staining is aligned to what the reference leads to expect.

# %%
ho.model.HZAUVAE.setup_mudata(
    reference_cells,
    modalities={"rna": "nb", "adt": "nb"},
    batch_key="batch",
    labels_key="label",
)
model = ho.model.HZAUVAE(reference_cells)
model.train(max_epochs=60, seed=0)

# %% [markdown]
# A reference can be handed over. The folder holds no values of single cells: weights, posteriors of
# the training cells, their labels, and a card that says what it was trained on.

# %%
model.save_reference("reference", description="Blood cells of three batches, without B cells")
reference = ho.model.HZAUVAE.load("reference")

# %% [markdown]
# ## Where do the new cells lie?
#
# `to_anndata` and `get_latent_representation` take any cells (`mdata=`). In the figure, cells of
# the sample should lie among reference cells of their type. B cells have nowhere to go: look for a
# place that holds cells of the sample alone.

# %%
both = sc.concat(
    {"reference": model.to_anndata(), "sample": reference.to_anndata(sample)}, label="from"
)
sc.pp.neighbors(both, use_rep="X_hzau")
sc.tl.umap(both, random_state=0)
ho.pl.umap(both, color=["from", "cell_type"])

# %% [markdown]
# ## Which types are they?
#
# `soft=True` gives probabilities, and `soft=False` the label, its probability and a prediction set:
# the labels that cannot be ruled out. Sets hold the true label of 90 % of cells like those that
# they were calibrated on; of a new batch that is not guaranteed. (99 % is the default, and needs
# more calibration cells than these data have.)

# %%
predicted = reference.predict_labels(sample, soft=False, coverage=0.9)
predicted.head()

# %% [markdown]
# The same from half of the proteins alone, as a smaller panel would give. Features that a new batch
# lacks count as not measured; a warning says which. Accuracy is over cells of types that the
# reference knows: a B cell gets one of the known labels too, which has to be wrong.

# %%
protein = MuData({"adt": sample["adt"][:, ::2].copy()})
protein.obs["batch"] = NEW
truth = sample.obs["cell_type"].astype(str).to_numpy(dtype=object)
known = ~np.isin(truth, ["other", LEFT_OUT])
accuracy = {}
for name, cells in {"RNA and protein": sample, "half of the proteins": protein}.items():
    labels = reference.predict_labels(cells, soft=True).idxmax(axis=1)
    accuracy[name] = float((labels.to_numpy() == truth)[known].mean())
pd.Series(accuracy, name="accuracy").round(3).to_frame()

# %% [markdown]
# ## Which cells does the reference not know?
#
# `get_novelty` gives a p-value for each cell: how rarely cells of known types lie as far from the
# reference. There is also a `q_value` that accounts for the number of cells. P-values come from a
# comparison with calibration cells that have the same modalities, and of these the small data have
# few: no p-value can be very small, and after correction for 400 cells nothing may stand out. The
# p-values still rank the cells. Cells called `other` are left out of the comparison below: they may
# be of any type, known or not.

# %%
novelty = reference.get_novelty(sample)
is_new = truth == LEFT_OUT
print(novelty[["p_value", "q_value"]].min().rename("smallest").round(4).to_string())
plt.figure(figsize=(5, 3), layout="constrained")
bins = np.linspace(0, 1, 21)
plt.hist(novelty["p_value"][known], bins, density=True, alpha=0.6, label="types of the reference")
plt.hist(novelty["p_value"][is_new], bins, density=True, alpha=0.6, label="B cells")
plt.xlabel("p-value")
plt.ylabel("density")
plt.legend()

# %%
found = (novelty["p_value"] < 0.05).to_numpy()
found_of_new, found_of_known = found[is_new].mean(), found[known].mean()
print(f"p < 0.05: {found_of_new:.0%} of the B cells, {found_of_known:.0%} of the known types")

# %% [markdown]
# ## What the sample lacks
#
# `impute` predicts RNA of a sample with protein only. A new batch is decoded as the average of the
# reference's; `transform_batch` chooses another way. The depth that its RNA would have had is not
# known: compare cells of the sample with each other, and not their counts with those of other
# batches.

# %%
rna = reference.impute("rna", protein, n_samples=10, seed=0)
rna
