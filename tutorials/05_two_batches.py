# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Two batches with different antibody panels
#
# Blood cells from two laboratories, RNA and surface protein of each cell. The laboratories stained
# with different panels, and share eight antibodies. One model is trained on both. We ask whether
# the batches mix, predict proteins for the batch that did not measure them, and compare cell types
# within batches. One antibody that both have is hidden in one batch, so that predictions can be
# checked there.
#
# The data are `pbmc_2batch_citeseq` of the data registry. They are not distributed with this
# package, since their licence is not settled, and nothing downloads them: `ho.data.load` reads a
# file that you have put into the folder that `HZAU_OMICS_DATA` names, and accepts this very file
# only. [The data registry](../data_registry.md) names the sources that it was put together from. So
# read the page with its outputs, and take the steps over to batches of your own. One measure needs
# the extra `metrics` (`pip install '.[metrics]'` in a clone of the repository).

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scanpy as sc
from scib_metrics import ilisi_knn
from scib_metrics.nearest_neighbors import pynndescent
from scipy.stats import spearmanr

import hzau_omics as ho

N_CELLS = 1200  # of each batch
N_GENES = 1500
N_EPOCHS = 60

# %% [markdown]
# ## The data
#
# The two batches get the same number of cells, so that it is easy to say what "mixed" means: half
# of a cell's neighbours should come from the other batch.

# %%
mdata = ho.data.load("pbmc_2batch_citeseq")
rng = np.random.default_rng(0)
batch = mdata.obs["batch"].to_numpy()
chosen = [
    rng.choice(np.flatnonzero(batch == name), N_CELLS, replace=False) for name in np.unique(batch)
]
mdata = mdata[np.sort(np.concatenate(chosen))].copy()
batch, cell_type = (mdata.obs[name].to_numpy() for name in ("batch", "cell_type"))
pd.crosstab(mdata.obs["cell_type"], mdata.obs["batch"])

# %% [markdown]
# Some cells are called `unknown`: they have no label. Beware of the labels. They were made from
# protein counts, nearly by gating. An embedding that has seen protein must agree with them, and
# that is no proof of anything. We use them to name groups, and not to judge the model.
#
# The batches also differ in depth. These are medians over cells, of the genes in the file. The most
# variable genes are kept.

# %%
print(ho.pp.qc(mdata, per="batch", batch_key="batch")[["n_cells", "total", "n_features"]])
mdata = ho.pp.select_features(mdata, "rna", n_top=N_GENES, batch_key="batch")

# %% [markdown]
# ## Two panels
#
# In the file, a protein that a batch did not measure is 0 in all its cells. These zeros are no
# measurements. `mark_unmeasured` finds features whose zeros throughout a batch are improbable. The
# file knows the panels too (`measured_...`), so that the answer can be compared. Always look at it:
# a real absence, in one donor, may look like a missing antibody.

# %%
ho.pp.mark_unmeasured(mdata, "prot", "batch", panel_key="found")
panels = mdata["prot"].var
print("found as the file says:", (panels["found_InHouse"] == panels["measured_InHouse"]).all())
panels[["measured_PBMC10k", "measured_InHouse"]].sort_values(["measured_InHouse"])

# %% [markdown]
# Now hide an antibody that both batches have: CD8a, in the in-house batch. The model is told that
# this batch did not measure it. What was measured is kept aside.

# %%
HIDDEN, POORER = "CD8a", "InHouse"
in_house = batch == POORER
column = mdata["prot"].var_names.get_loc(HIDDEN)
values = mdata["prot"].X.toarray()
truth = values[in_house, column].copy()
values[in_house, column] = 0
mdata["prot"].X = values
mdata["prot"].var.loc[HIDDEN, f"measured_{POORER}"] = False

# %% [markdown]
# ## The model
#
# `batch_key` names the technical unit, `panel_key` the columns with the panels. Training draws the
# batches to one distribution. A difference that only batches show is therefore taken for a
# technical one: the two laboratories also had different donors, and what sets these apart is lost.
#
# The figure shows whether training went on for long enough. Look at the validation curves: they
# should be level at the end, and not rise. The model keeps the weights of the best epoch (dashed).
# If this is one of the last, more epochs may improve the model still, but not by much where the
# curve is level. The training curves of the ELBO and of the reconstruction are rough because they
# count only the cells that training did not spoil in that epoch; the objective counts all.

# %%
ho.model.HZAUVAE.setup_mudata(
    mdata, modalities={"rna": "nb", "prot": "nb"}, batch_key="batch", panel_key="measured"
)
model = ho.model.HZAUVAE(mdata)
model.train(max_epochs=N_EPOCHS, seed=0)
axes = ho.pl.training(model.history, max_panels=3)

# %% [markdown]
# ## Do the batches mix?
#
# For comparison: principal components of the normalised RNA, without any correction. In the upper
# figure look for types that split by batch, in the lower one for the same types.

# %%
uncorrected = mdata["rna"].copy()
uncorrected.obs = mdata.obs[["batch", "cell_type"]].copy()
sc.pp.normalize_total(uncorrected)
sc.pp.log1p(uncorrected)
sc.pp.pca(uncorrected, n_comps=20)
sc.pp.neighbors(uncorrected)
sc.tl.umap(uncorrected, random_state=0)
axes = ho.pl.umap(uncorrected, color=["batch", "cell_type"])
axes[0].figure.suptitle("principal components of RNA", y=1.05)

# %%
adata = model.to_anndata()
sc.pp.neighbors(adata, use_rep="X_hzau")
sc.tl.umap(adata, random_state=0)
axes = ho.pl.umap(adata, color=["batch", "cell_type"])
axes[0].figure.suptitle("embedding of the model", y=1.05)

# %% [markdown]
# A picture is no measurement. Two numbers: the share of a cell's 15 nearest neighbours that come
# from the other batch (0.5 if batches do not matter), and iLISI, which counts batches in larger
# neighbourhoods and is scaled to 0 (apart) to 1 (mixed). Neither says whether types were mixed too;
# the third row is the share of neighbours of a cell's own type, with the caveat above.

# %%
near = {
    name: pynndescent(np.ascontiguousarray(points, np.float32), n_neighbors=90, random_state=0)
    for name, points in {
        "principal components": uncorrected.obsm["X_pca"],
        "model": adata.obsm["X_hzau"],
    }.items()
}
nearest = {name: found.indices[:, 1:16] for name, found in near.items()}
other = {name: batch[cells] != batch[:, None] for name, cells in nearest.items()}
labelled = cell_type != "unknown"
own_type = {name: cell_type[cells] == cell_type[:, None] for name, cells in nearest.items()}
mixed = pd.DataFrame(
    {
        "neighbours of the other batch": {name: hit.mean() for name, hit in other.items()},
        "iLISI": {name: float(ilisi_knn(found, batch == POORER)) for name, found in near.items()},
        "neighbours of the same type": {
            name: hit[labelled].mean() for name, hit in own_type.items()
        },
    }
).T
mixed.round(2)

# %% [markdown]
# Mixing is better than without correction, and not complete. The panels may be one reason: a batch
# with CD45RA and CD45RO tells naive from memory T cells better than one without. Other methods are
# compared in [integration](../benchmarks/integration.md). `train(plan_kwargs={"mixing": 10000})`
# mixes more; in a smaller data set of the same comparison, types lay less well apart then.
#
# By cell type, which shows where the two laboratories still differ. `mean` is the share of
# neighbours from the other batch, `even` the other batch's share of the cells of this type.

# %%
adata.obs["other batch"] = other["model"].mean(axis=1)
by_type = adata.obs.groupby(["cell_type", "batch"], observed=True)["other batch"]
by_type = by_type.agg(["size", "mean"]).unstack("batch")
sizes = by_type["size"].fillna(0)
for name in np.unique(batch):
    by_type["even", name] = 1 - sizes[name] / sizes.sum(axis=1)
by_type.round(2)

# %% [markdown]
# Look for means far below the even share. In-house monocytes are the clearest case: most of their
# neighbours are of their own batch, although both batches share one place in the UMAP above. CD8 T
# cells of both batches come next, and here the UMAP shows it: patches of one batch within the type.
# One reason may be that CD8a is hidden in one batch: there, only RNA and the other proteins tell
# these cells from CD4 T cells. (The shares of the two batches need not agree: cells that lie
# densely are among the neighbours of others more often than the other way round.) Read small groups
# with care.
#
# ## Protein that a batch did not measure
#
# `impute` returns all proteins of all cells. The layer `measured` says which the cell's batch had.
# Where it did not, the protein is decoded as the average over the batches that did: the prediction
# is what the *other* laboratory would have counted.

# %%
protein = model.impute("prot", n_samples=50, seed=0)
predicted = protein[in_house, HIDDEN].layers["log1p_mean"].ravel().astype(float)
types = cell_type[in_house]
correlation = np.corrcoef(predicted, np.log1p(truth))[0, 1]
rank = spearmanr(predicted, truth).statistic
print(f"{HIDDEN}, hidden in {POORER}: Pearson (log1p) {correlation:.2f}, Spearman {rank:.2f}")
others = mdata["prot"].X[~in_house, column]
medians = pd.DataFrame(
    {
        "measured, InHouse": pd.Series(truth).groupby(types).median(),
        "predicted, InHouse": pd.Series(np.expm1(predicted)).groupby(types).median(),
        "measured, PBMC10k": pd.Series(others).groupby(cell_type[~in_house]).median(),
        "Spearman within the type": {
            name: spearmanr(predicted[types == name], truth[types == name]).statistic
            for name in ("CD4+ T cells", "CD8+ T cells", "NK cells")
        },
    }
)
print(f"{HIDDEN}, medians of counts:")
medians.round(2)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(11.5, 3.6), layout="constrained")
drawn = axes[1].get_legend().legend_handles  # of the UMAP, so that colours are the same
for one, handle in zip(np.unique(cell_type), drawn, strict=True):
    rows = types == one
    if rows.any():
        points = predicted[rows], np.log1p(truth[rows])
        left.scatter(*points, s=6, color=handle.get_color(), label=one)
ends = [0, max(predicted.max(), np.log1p(truth).max())]
left.plot(ends, ends, "--", color="grey", label="equal")
left.set(xlabel=f"predicted {HIDDEN}, log1p", ylabel=f"measured {HIDDEN}, log1p")
left.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)
bins = np.linspace(*ends, 40)
right.hist(np.log1p(truth), bins, alpha=0.6, density=True, label="measured, InHouse (hidden)")
right.hist(np.log1p(others), bins, alpha=0.6, density=True, label="measured, PBMC10k")
right.hist(
    predicted, bins, histtype="step", color="black", density=True, label="predicted, InHouse"
)
right.set(xlabel=f"{HIDDEN}, log1p counts", ylabel="density")
right.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1, 1), frameon=False)

# %% [markdown]
# Left: do types separate, and are they in the right order? A cloud beside the dashed line means
# that the order is right and the scale is not. Right: predictions follow the scale of the
# laboratory that measured the protein. The model cannot know how the in-house staining would have
# turned out.
#
# CD8 T cells are found. NK cells show what goes wrong: those of the in-house donor carry CD8a,
# those of the other batch hardly any, and the prediction carries this over. Within a type,
# predictions rank cells far less well than between types: most of what is known of a cell is its
# type. So use imputed proteins to tell types apart, and do not compare their counts with measured
# ones of the same batch.
#
# The same holds for intervals. They are of the other laboratory's counts, and need not cover this
# one's:

# %%
low = protein[in_house, HIDDEN].layers["q05"].ravel()
high = protein[in_house, HIDDEN].layers["q95"].ravel()
covered = float(((truth >= low) & (truth <= high)).mean())
print(f"90 % intervals cover {covered:.0%} of the hidden values")

# %% [markdown]
# For proteins that the in-house batch really lacks, nothing can be checked cell by cell. What can
# be looked at is whether predictions are plausible: for in-house cells the mean of the predictions
# by type, in log1p counts, beside the measured mean of the same type in the other batch.

# %%
lacking = mdata["prot"].var_names[~panels[f"found_{POORER}"]]
table = protein[:, lacking].to_df(layer="log1p_mean")
measured = pd.DataFrame(np.log1p(mdata["prot"].X), mdata.obs_names, mdata["prot"].var_names)
table.loc[~in_house] = measured.loc[~in_house, lacking]
means = table[labelled].groupby([cell_type[labelled], batch[labelled]]).mean()
means.round(1)

# %% [markdown]
# Means by type agree because the predictions are learned from this very batch: they carry over what
# is usual for a type, as they did for CD8a of NK cells. Agreement here is no proof.
#
# ## What differs between types, within batches
#
# `differential_expression` compares cells of one batch with each other, and then sums up over
# batches: the difference of the laboratories does not enter. CD8 T cells against CD4 T cells, in
# RNA. (The labels come from protein, and so the p-values of proteins would be circular; those of
# genes are not.)

# %%
genes = model.differential_expression("rna", "cell_type", "CD8+ T cells", "CD4+ T cells", seed=0)
print("called:", int(genes["is_de_fdr_0.05"].sum()), "of", len(genes))
ax = ho.pl.volcano(genes)

# %%
columns = ["lfc_mean", "lfc_q05", "lfc_q95", "proba_de", "q_value"]
genes.loc[genes["is_de_fdr_0.05"], columns].head(10).round(3)

# %% [markdown]
# Do the two laboratories agree? The same comparison in each batch by itself; the correlation is
# over the genes called above. These are plain estimates (`lfc`) from the counts of a batch;
# `lfc_mean` is also drawn to what the decoder expects, which is the same for both. A gene on the
# diagonal changes as much in both.

# %%
called = genes.index[genes["is_de_fdr_0.05"]]
cd8, cd4 = cell_type == "CD8+ T cells", cell_type == "CD4+ T cells"
changes = pd.DataFrame(
    {
        name: model.differential_expression(
            "rna", idx1=cd8 & (batch == name), idx2=cd4 & (batch == name), seed=0
        )["lfc"]
        for name in np.unique(batch)
    }
).loc[called]
agreement = changes.corr().iloc[0, 1]
print(f"correlation of the fold changes of {len(changes)} genes: {agreement:.2f}")
ax = changes.plot.scatter("InHouse", "PBMC10k", s=14, figsize=(4, 4))
ax.axline((0, 0), slope=1, color="grey", linestyle="--")
ax.set_title("log2 fold change, CD8 over CD4")

# %% [markdown]
# Agreement of two laboratories is worth more than a small p-value. Each batch is one donor, though:
# nothing here says what differs between people. With more donors, give `sample_key` ([What
# differs?](04_what_differs.ipynb)).
#
# ## What to keep in mind
#
# - Zeros of antibodies that were not in the panel have to be marked, or the model takes them for
#   measurements.
# - The batches mix in part. If a question depends on complete mixing, measure it, as above.
# - A protein that a batch lacks is predicted on the scale of the other batch, and mostly by type.
# - Labels made from protein cannot judge an embedding that saw protein.
