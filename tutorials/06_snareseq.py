# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # RNA and chromatin with few counts: SNARE-seq of mouse cortex
#
# SNARE-seq measures RNA and open chromatin of the same nucleus. Both are sparse, chromatin most of
# all: most cells have fewer than a hundred open peaks. We ask what a joint model makes of that:
# which modality tells cell types apart, what the gate and the reliability say of so few counts, how
# well peaks can be predicted from RNA, which peaks differ between types, and whether a peak goes
# with its gene.
#
# The data are `snareseq_mouse_cortex` of the data registry. They are not distributed with this
# package, and nothing downloads them: `ho.data.load` reads a file that you have put into the folder
# that `HZAU_OMICS_DATA` names, and accepts this very file only. [The data
# registry](../data_registry.md) names the sources that it was put together from. So read the page
# with its outputs, and take the steps over to cells of your own. The tutorial takes some cells of
# each library, and the peaks that are open most often.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scanpy as sc
from sklearn.metrics import roc_auc_score

import hzau_omics as ho

N_CELLS = 400  # of each library
N_PEAKS = 4000
N_EPOCHS = 60

# %% [markdown]
# ## The data
#
# Twelve libraries were made from the same tissue. Cell types are those of the original paper,
# coarse here; `Mis` stands for cells that it could not name.

# %%
mdata = ho.data.load("snareseq_mouse_cortex")
rng = np.random.default_rng(0)
library = mdata.obs["batch"].to_numpy()
chosen = [
    rng.choice(np.flatnonzero(library == name), N_CELLS, replace=False)
    for name in np.unique(library)
]
mdata = mdata[np.sort(np.concatenate(chosen))].copy()
mdata = ho.pp.select_features(mdata, "atac", n_top=N_PEAKS)
cell_type = mdata.obs["cell_type_coarse"].astype(str).to_numpy()
named = cell_type != "Mis"
mdata.obs["cell_type_coarse"].value_counts().to_frame().T

# %% [markdown]
# How much was measured? `n_features` is the number of genes, or peaks, with a count.

# %%
quality = ho.pp.qc(mdata)
print(quality.groupby("modality", observed=True)[["total", "n_features"]].median())
figure, axes = plt.subplots(1, 2, figsize=(8, 2.6), layout="constrained")
for ax, name in zip(axes, ("rna", "atac"), strict=True):
    ax.hist(quality.xs(name, level="modality")["total"], np.geomspace(1, 5000, 50))
    ax.set(xscale="log", xlabel=f"{name}: counts of a cell", ylabel="cells")

# %% [markdown]
# ## The likelihood of peaks
#
# A nucleus has two copies of a peak, and each is hardly ever cut more than once. If nearly all
# non-zero counts are 1, counts say no more than "open" or "not seen":

# %%
counts = mdata["atac"].X.data
print(f"of the non-zero counts of peaks, {(counts == 1).mean():.1%} are 1")
print(f"peaks seen in a cell: {len(counts) / mdata.n_obs / mdata['atac'].n_vars:.2%}")

# %% [markdown]
# So peaks are set up as Bernoulli, and `binarize=True` reads counts as 0 or 1 without changing the
# matrix. A 0 is no proof that a peak is closed: with so few counts most open peaks are missed.
# Where a peak has many fragments per cell, `poisson` keeps what counts say. The libraries are
# batches.
#
# Look at the validation curves: with so few counts the model learns its training cells by heart
# when it goes on for long. Training then stops by itself, and keeps the weights of the best epoch
# (dashed).

# %%
ho.model.HZAUVAE.setup_mudata(
    mdata,
    modalities={
        "rna": "nb",
        "atac": ho.data.ModalitySpec(likelihood="bernoulli", binarize=True),
    },
    batch_key="batch",
    labels_key="cell_type_coarse",
)
model = ho.model.HZAUVAE(mdata)
model.train(max_epochs=N_EPOCHS, train_size=0.8, validation_size=0.1, seed=0)
axes = ho.pl.training(model.history, max_panels=3)
held_out = model.test_indices_
print(f"{len(held_out)} cells are held out from training")

# %% [markdown]
# ## Types and libraries
#
# Left, look for types that lie apart, and for those that pass into each other, as the layers of
# excitatory neurons do. Right, each place should hold all libraries. They are of one tissue and
# were made alike, so that little had to be corrected.

# %%
adata = model.to_anndata()
sc.pp.neighbors(adata, use_rep="X_hzau")
sc.tl.umap(adata, random_state=0)
axes = ho.pl.umap(adata, color=["cell_type_coarse", "batch"])

# %% [markdown]
# Which modality tells the types apart? Each cell gets the type of most of its 15 nearest neighbours
# (five-fold, cells of known type), in the embedding from both modalities and from one alone. The
# last row is what guessing the most frequent type would give.

# %%
accuracy = {}
for given in (["rna", "atac"], ["rna"], ["atac"]):
    points = model.get_latent_representation(given=given)
    accuracy[" + ".join(given)] = ho.metrics.cross_validated_knn_accuracy(
        points[named], cell_type[named]
    )
accuracy["most frequent type"] = pd.Series(cell_type[named]).value_counts(normalize=True).iloc[0]
pd.Series(accuracy).round(3)

# %% [markdown]
# Chromatin alone says much less than RNA. That is a matter of counts and of the peaks that were
# chosen, not of chromatin as such; and labels that were found in RNA favour RNA. Compare the first
# two rows, too: a joint embedding need not be the best one for every purpose. Where a modality says
# little, it can blur what the other one shows. If types are all you want, `given=["rna"]` is at
# hand.
#
# ## What the gate listens to

# %%
weights = model.get_gate_weights()
print("mean gate weights:", weights.mean().astype(float).round(2).to_dict())
ax = ho.pl.gate(weights, adata.obs["cell_type_coarse"])

# %% [markdown]
# Weights of modalities lie close together, since the weight of the joint expert is shared equally
# between them. By expert the picture is plainer. `kind="precision"` gives the share of the
# certainty about a cell's position that comes from each expert:

# %%
precision = model.get_gate_weights(kind="precision", level="expert")
precision.mean().round(3)

# %% [markdown]
# ## Reliability of few counts
#
# Reliability is the probability that a measurement has not failed, if one in ten had. The figure
# shows how many of each type look suspicious (numbers at the bars are cells). A large share of a
# small group is one or two cells.

# %%
ax = ho.pl.reliability(model.get_reliability(), adata.obs["cell_type_coarse"])

# %% [markdown]
# Can failures be found at all? We spoil the held-out cells: of each modality, nine tenths of the
# counts are lost, or half are replaced by ambient counts (the average cell). AUROC compares the
# reliability of spoiled and intact measurements: 1 is perfect, 0.5 is chance.


# %%
def lost(counts):
    return rng.binomial(counts.astype(int), 0.1)


def ambient(counts):
    profile = counts.sum(axis=0, dtype=float) / counts.sum(dtype=float)
    kept = rng.binomial(counts.astype(int), 0.5)
    missing = counts.sum(axis=1).astype(int) - kept.sum(axis=1)
    return kept + rng.multinomial(missing, profile)


intact = mdata[held_out].copy()
before = model.get_reliability(intact)
found = {}
for modality in ("rna", "atac"):
    for damage in (lost, ambient):
        spoiled = intact.copy()
        values = damage(intact[modality].X.toarray()).astype(np.float32)
        spoiled[modality].X = values
        after = model.get_reliability(spoiled)
        scores = np.concatenate([before[modality], after[modality]])
        is_intact = np.repeat([1, 0], len(before))
        found[modality, damage.__name__] = roc_auc_score(is_intact, scores)
pd.Series(found).unstack().round(2)

# %% [markdown]
# Lost counts are found, since so few are left; but a cell that had few from the start looks the
# same. Ambient chromatin is found less well than ambient RNA: half of some fifty peaks from other
# cells changes little that can be seen. A high reliability of chromatin then means "nothing speaks
# against it".
#
# ## Peaks predicted from RNA
#
# For the held-out cells, peaks are predicted from RNA alone. Each peak is judged by AUROC over
# cells: do cells in which it was seen have a higher prediction? Peaks are judged that were seen in
# at least ten of the cells. Simple rivals: the number of RNA counts of a cell (deep cells show more
# peaks), the share of training cells of its type in which the peak was seen, and the product of
# these two.

# %%
imputed = model.impute("atac", given="rna", indices=held_out, n_samples=50, seed=0)
seen = (mdata["atac"].X[held_out] > 0).toarray()
training = np.setdiff1d(np.arange(mdata.n_obs), held_out)
open_in = (
    pd.DataFrame((mdata["atac"].X[training] > 0).toarray()).groupby(cell_type[training]).mean()
)
rival = open_in.reindex(cell_type[held_out]).fillna(0.0).to_numpy()
depth = np.asarray(mdata["rna"].X[held_out].sum(axis=1)).reshape(-1, 1)
tested = np.flatnonzero(seen.sum(axis=0) >= 10)
predictions = {
    "predicted from RNA": imputed.X,
    "RNA counts": np.broadcast_to(depth, seen.shape),
    "type": rival,
    "type x RNA counts": rival * depth,
}
auroc = pd.DataFrame(
    {
        name: [roc_auc_score(seen[:, j], values[:, j]) for j in tested]
        for name, values in predictions.items()
    },
    index=mdata["atac"].var_names[tested],
)
print(f"means over {len(tested)} peaks:")
print(auroc.mean().round(3).to_string())
ax = auroc.iloc[:, ::-1].plot.box(vert=False, figsize=(6, 2.4))
ax.axvline(0.5, color="grey", linestyle="--")
ax.set_xlabel("AUROC of a peak over held-out cells")

# %% [markdown]
# Values are low for all: whether an open peak is seen in a cell is mostly chance. Compare the first
# row with the last: a cell's type and its depth do about as well as the prediction from RNA. What
# RNA says of a cell's chromatin beyond these two cannot be seen in so few counts. The prediction
# needs no labels of types, and that is its use here.
#
# Means over the cells of a type are less noisy. Each point is a peak; the three most frequent types
# of the held-out cells are shown.

# %%
frequent = pd.Series(cell_type[held_out][named[held_out]]).value_counts().index[:3]
figure, axes = plt.subplots(1, 3, figsize=(10, 3.3), layout="constrained")
for ax, name in zip(axes, frequent, strict=True):
    rows = cell_type[held_out] == name
    expected, measured = imputed.X[rows].mean(axis=0), seen[rows].mean(axis=0)
    ax.scatter(expected, measured, s=3)
    ax.axline((0, 0), slope=1, color="grey", linestyle="--")
    r = np.corrcoef(expected, measured)[0, 1]
    ax.set(xlabel="predicted share", ylabel="measured share", title=f"{name}: r = {r:.2f}")

# %% [markdown]
# Much of these correlations is that some peaks are open more often than others in all types. The
# AUROC above is the stricter judge.
#
# ## Which peaks differ?
#
# `differential_accessibility` compares the share of cells in which a peak is open, relative to each
# cell's number of open peaks, within libraries. Each type is compared with the rest. If chromatin
# had a part in finding the types, p-values are somewhat too small.

# %%
peaks = model.differential_accessibility("atac", "cell_type_coarse", seed=0)
peaks = peaks[peaks["group1"] != "Mis"]
called = peaks[peaks["is_da_fdr_0.05"]]
summary = pd.DataFrame(
    {
        "cells": mdata.obs["cell_type_coarse"].value_counts(),
        "peaks called": called.groupby("group1", observed=True).size(),
    }
)
summary.drop(index="Mis").fillna(0).astype(int).sort_values("cells", ascending=False)

# %% [markdown]
# Calls depend on how many cells a type has, and on how unlike the rest it is. Astrocytes have many
# with few cells; L4/5 has few with a thousand, since the layers of excitatory neurons resemble each
# other and are most of the rest. No call in a rare type means that the test has no power there, and
# not that its chromatin is like that of others.
#
# The strongest calls of each type, with the gene that the peak is linked to in the file. Look for
# known markers, such as Cux1 of upper layers, or Olig1 of oligodendrocytes and their precursors.

# %%
shown = called.groupby("group1", observed=True).head(3)
shown = shown.assign(gene=mdata["atac"].var["linked_gene"].reindex(shown.index).to_numpy())
shown["q_value"] = shown["q_value"].map("{:.0e}".format)
shown[["group1", "gene", "emp_prob1", "emp_prob2", "lfc_mean", "q_value"]].round(2)

# %% [markdown]
# ## A peak and its gene
#
# If a peak is more open in a type, is its linked gene expressed more? The same comparison in RNA,
# and the fold changes of the called peaks beside those of their genes. These are plain estimates
# (`lfc`) from the counts; `lfc_mean` is also drawn to what the decoder expects, which would tie the
# two to each other. Points in the upper right and lower left agree.

# %%
genes = model.differential_expression("rna", "cell_type_coarse", seed=0)
change = genes.set_index(["group1", genes.index])["lfc"]
linked = mdata["atac"].var["linked_gene"].reindex(called.index).to_numpy()
pairs = pd.DataFrame({"peak": called["lfc"].to_numpy()})
pairs["gene"] = change.reindex(list(zip(called["group1"], linked, strict=True))).to_numpy()
same = float((np.sign(pairs["peak"]) == np.sign(pairs["gene"])).mean())
print(f"{len(pairs)} called peaks: same direction as the gene in {same:.0%}")
ax = pairs.plot.scatter("gene", "peak", s=10, figsize=(4.5, 3.6))
ax.axhline(0, color="grey", linewidth=0.8)
ax.axvline(0, color="grey", linewidth=0.8)
ax.set(xlabel="log2 fold change of the linked gene", ylabel="of the peak")

# %% [markdown]
# Over single cells, `get_feature_correlation_matrix` correlates what the model expects of a gene
# and of a peak, without counting noise. Beside pairs that are linked, pairs of the same genes and
# peaks that are not.

# %%
best = peaks.sort_values("p_value").index.unique()[:60]
partners = mdata["atac"].var.loc[best, "linked_gene"].to_numpy(dtype=object)
names = np.unique(partners)
expected = model.get_feature_correlation_matrix(
    {"rna": list(names), "atac": list(best)}, n_samples=5, seed=0
)
block = expected.loc[[f"rna:{gene}" for gene in names], [f"atac:{peak}" for peak in best]]
is_linked = names[:, None] == partners
values = block.to_numpy()
of_linked, of_others = np.median(values[is_linked]), np.median(values[~is_linked])
print(f"median correlation: linked {of_linked:.2f}, not linked {of_others:.2f}")
figure, ax = plt.subplots(figsize=(5, 3))
bins = np.linspace(-1, 1, 21)
ax.hist(values[~is_linked], bins, density=True, alpha=0.6, label="not linked")
ax.hist(values[is_linked], bins, density=True, alpha=0.6, label="linked")
ax.set(xlabel="correlation of gene and peak, denoised", ylabel="density")
ax.legend()

# %% [markdown]
# Correlations without noise are easily large: gene and peak are both decoded from the same latent,
# and anything that differs between types correlates with anything else that does, linked or not. So
# look at the difference of the two histograms, and not at the height of a single value. A link is
# no proof of regulation either.
#
# ## What to keep in mind
#
# - With so few counts, chromatin adds little to RNA about the type of a cell, and ambient chromatin
#   can hardly be seen.
# - A predicted peak is a probability, and best read as a mean over cells.
# - No call in a rare type is no evidence of no difference.
# - Only some cells and peaks were used here, to keep the run short; take all for real work.
