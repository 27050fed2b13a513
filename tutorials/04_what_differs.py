# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # What differs? From clusters to markers of RNA and protein
#
# Clusters are found in the RNA alone, and described by what differs between them: first in the
# proteins, which had no part in finding them, then in the RNA. Some cells lack protein; they take
# part by what the model predicts of them. At the end donors are compared, not cells.
#
# The tutorial runs offline.

# %%
import matplotlib.pyplot as plt
import numpy as np
import scanpy as sc

import hzau_omics as ho

# %% [markdown]
# ## A model, and clusters of RNA
#
# Only cells with RNA can be clustered by it. A third of these lack protein.

# %%
mdata = ho.data.load("pbmc_mosaic")
mdata = mdata[mdata.obs_names.isin(mdata["rna"].obs_names)].copy()
ho.model.HZAUVAE.setup_mudata(mdata, modalities={"rna": "nb", "adt": "nb"}, batch_key="batch")
model = ho.model.HZAUVAE(mdata)
model.train(max_epochs=60, seed=0)

# %%
rna = mdata["rna"].copy()
sc.pp.normalize_total(rna)
sc.pp.log1p(rna)
sc.pp.pca(rna, n_comps=20)
sc.pp.neighbors(rna)
sc.tl.leiden(rna, resolution=0.5, flavor="igraph", n_iterations=2, random_state=0)
mdata.obs["cluster"] = rna.obs["leiden"].reindex(mdata.obs_names).astype(str).to_numpy()
print(mdata.obs.groupby(["cluster", "cell_type"], observed=True).size().unstack(fill_value=0))

# %% [markdown]
# ## Proteins
#
# Each cluster is compared with the rest. The test compares measured counts within batches, and
# `q_value` corrects for the number of proteins. Clusters were not found in these proteins: their
# p-values are those of an honest test.

# %%
proteins = model.differential_expression("adt", "cluster", seed=0)
called = proteins[proteins["is_de_fdr_0.05"]]
print(called.groupby("group1").size())
columns = ["lfc_mean", "lfc_q05", "lfc_q95", "q_value", "measured1", "measured2"]
print(called.groupby("group1").head(3)[["group1", *columns]].round(3))

# %% [markdown]
# Proteins come in the order of their p-values: one that a cluster lacks (`lfc_mean` below 0) may
# come first. `measured1` says which share of a cluster's cells had their proteins measured.
#
# All proteins of one cluster, in a picture: to the right those that it has more of than the rest,
# and higher up the more certain ones. Grey ones are not called.

# %%
cd8 = mdata.obs.loc[mdata.obs["cell_type"] == "CD8 T", "cluster"].mode()[0]
ho.pl.volcano(proteins[proteins["group1"] == cd8])

# %% [markdown]
# ## Genes
#
# The clusters were found in these counts, so that some difference is certain: here p-values rank
# the markers, and nothing more. Scanpy draws them when the table is in its own form. Dots on the
# diagonal are a cluster's own markers. A gene with dots in other rows too is no marker by itself:
# each cluster is compared with all the rest, not with the one that resembles it.

# %%
genes = model.differential_expression("rna", "cluster", seed=0)
ho.pp.rank_genes_groups(rna, genes, groupby="leiden")
clusters = list(rna.obs["leiden"].cat.categories)
sc.pl.rank_genes_groups_dotplot(rna, clusters, n_genes=3, dendrogram=False, show=False)
plt.show()

# %% [markdown]
# A gene and its protein, without counting noise and depth. Look at `rna:CD8A` and `adt:cd8`, and at
# `rna:CD79A` and `adt:cd19`, two genes of B cells:

# %%
pairs = model.get_feature_correlation_matrix(
    {"rna": ["CD8A", "CD79A"], "adt": ["cd8", "cd19"]}, seed=0
)
print(pairs.round(2))

# %% [markdown]
# ## Donors are the replicates
#
# Cells of one donor are no independent repetitions. With `sample_key`, each sample gives one
# pseudobulk per group, and these are tested (PyDESeq2). What cells say stands beside, as
# `cells_lfc_mean` and so on. Three batches have RNA; a batch with cells of both types is compared
# with itself. Fewer genes are called than by cells: what is left is a difference that all three
# share.

# %%
by_cell = model.differential_expression("rna", "cell_type", "CD4 T", "CD8 T", seed=0)
by_sample = model.differential_expression(
    "rna", "cell_type", "CD4 T", "CD8 T", sample_key="batch", seed=0
)
n_by_cell = int(by_cell["is_de_fdr_0.05"].sum())
n_by_sample = int(by_sample["is_de_fdr_0.05"].sum())
print(f"called: {n_by_cell} genes by cells, {n_by_sample} by samples")
print(by_sample[["lfc_mean", "cells_lfc_mean", "proba_de", "q_value"]].head(8).round(3))

# %% [markdown]
# ## Is it right? Cells of one kind have no difference
#
# CD4 T cells, split at random. There is nothing to find, with any threshold.

# %%
rng = np.random.default_rng(0)
cd4 = np.flatnonzero(mdata.obs["cell_type"] == "CD4 T")
n_wrong = 0
for _ in range(10):
    shuffled = rng.permutation(cd4)
    found = model.differential_expression(
        "rna", idx1=shuffled[::2], idx2=shuffled[1::2], delta=0, n_samples=100, seed=0
    )
    n_wrong += int(found["is_de_fdr_0.05"].any())
print(f"splits with a call: {n_wrong} of 10")
