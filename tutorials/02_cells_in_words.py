# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Cells in words: describe some, ask for others
#
# We look at 1,600 blood cells, write down what a tenth of them are, each in our own words, and
# train a model of RNA, protein and text. Then we ask for cells in words that nobody wrote, have
# cells described, draw cells from a text, and see what the model makes of texts that are wrong.
#
# This needs `pip install 'hzau-omics[text]'` for the Cell Ontology. Everything runs offline, in
# about a minute on two processor cores.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import scanpy as sc
from sklearn.metrics import roc_auc_score

import hzau_omics as ho

mdata = ho.data.load("pbmc_mosaic")
rng = np.random.default_rng(0)

# %% [markdown]
# ## A tenth of the cells, in words
#
# Three people describe cells in three ways. The other 90 % have no text, and that is fine: a cell
# without text simply lacks the modality.

# %%
NOTES = {
    "B": ["B cell", "B lymphocytes", "CD19+ lymphocyte of the B lineage"],
    "NK": ["natural killer cell", "NK cells", "NK lymphocyte"],
    "Mono": ["monocyte", "monocytes", "CD14+ monocytes"],
    "CD4 T": ["CD4-positive, alpha-beta T cell", "CD4+ T lymphocyte", "helper T cells"],
    "CD8 T": ["CD8-positive, alpha-beta T cell", "CD8+ T lymphocyte", "cytotoxic T cells"],
    "DC": ["dendritic cell", "dendritic cells", "myeloid dendritic cells"],
}
kind = mdata.obs["cell_type"].astype(str)
described = kind.isin(NOTES) & (rng.random(mdata.n_obs) < 0.1)
mdata.obs["note"] = [
    rng.choice(NOTES[of]) if has else None for of, has in zip(kind, described, strict=True)
]
mdata.obs.loc[described, ["cell_type", "note"]].head(8)

# %% [markdown]
# ## Words, or what the words mean
#
# `ho.pp.add_text_modality` would make a bag of words: simple, and deaf to all words that no note
# has. It says so when it is asked about them.

# %%
notes = mdata.obs.loc[described, "note"].tolist()
ho.text.BagOfWords.fit(notes).unknown("leukocytes that kill infected cells")

# %% [markdown]
# Here we take `ho.pp.add_ontology_modality`. It looks every text up in the Cell Ontology, and
# writes down the term and everything that it is a kind of. A later question may use any name or
# description that the ontology has. Look at what the notes were taken for; this is where mistakes
# would enter.

# %%
ho.pp.add_ontology_modality(mdata, "note", name="text")
stored = mdata["text"].uns["text"]
pd.Series(dict(zip(stored["texts"], stored["read_as"], strict=True)), name="read as").to_frame()

# %% [markdown]
# (With `encoder="all-MiniLM-L6-v2"`, or another model for sentence-transformers, free sentences are
# understood better. For notes in Chinese take a multilingual model, or a bag of words.)
#
# ## The model

# %%
ho.model.HZAUVAE.setup_mudata(
    mdata,
    modalities={"rna": "nb", "adt": "nb", "text": "bernoulli"},
    batch_key="batch",
)
model = ho.model.HZAUVAE(mdata)
model.train(max_epochs=25, seed=0)

# %% [markdown]
# ## Ask for cells
#
# `query_text` ranks all cells. We ask what RNA and protein say (`given=`), so that the notes
# themselves do not answer, and in words that no note has.

# %%
QUERIES = {
    "NK": "CD56+ lymphocyte",
    "B": "antibody secreting lymphocyte of the B lineage",
    "Mono": "classical monocytes",
    "CD8 T": "killer T lymphocytes with CD8",
}
scores = model.query_text(list(QUERIES.values()), given=["rna", "adt"])
scores.attrs["read_as"]

# %% [markdown]
# How good are the answers? The area under the ROC curve, over cells without a note: 1 is a perfect
# ranking, 0.5 a random one.

# %%
unseen = (~described & (kind != "other")).to_numpy()
auroc = pd.Series(
    {
        query: roc_auc_score(kind[unseen] == of, scores.loc[unseen, query])
        for of, query in QUERIES.items()
    }
)
auroc.round(3)

# %%
mdata.obsm["X_hzau"] = model.get_latent_representation()
adata = model.to_anndata()
sc.pp.neighbors(adata, use_rep="X_hzau")
sc.tl.umap(adata)
adata.obs["hits: CD56+ lymphocyte"] = scores["CD56+ lymphocyte"].to_numpy()
figure = ho.pl.umap(adata, color=["cell_type", "hits: CD56+ lymphocyte"])

# %% [markdown]
# Scores rank cells for one question; between questions they do not compare. To choose between
# texts, ask for probabilities. They suppose that one of the texts is right.

# %%
choices = {of: wordings[0] for of, wordings in NOTES.items()}
shares = model.get_text_probabilities(choices, given=["rna", "adt"])
accuracy = float((shares.idxmax(axis=1) == kind)[unseen].mean())
shares.iloc[:3].round(2), round(accuracy, 3)

# %% [markdown]
# ## Have cells described
#
# The terms that set a cell apart, with the probability that a note about the cell would name them,
# and how common they are among notes.

# %%
model.describe([0, 1, 2], top=3, given=["rna", "adt"])

# %% [markdown]
# ## Cells from a text
#
# Draws of RNA from a text alone. They are average cells of what the text says, not new biology: a
# text says nothing of how cells of a type differ.

# %%
drawn = model.generate("rna", text=["B cell", "monocyte"], n_samples=50, seed=0)
genes = [gene for gene in ("MS4A1", "CD79A", "LYZ", "S100A8") if gene in drawn.var_names]
drawn[:, genes].to_df().groupby(drawn.obs["cell"].to_numpy()).mean().round(2)

# %% [markdown]
# ## Wrong notes
#
# Give a fifth of the described cells the note of another type. Agreement says whether a note fits
# what was measured; its p-value compares with cells that nobody tampered with. Which of two
# measurements is wrong cannot be told from one cell alone.
#
# With some thousand notes the gate learns, too, to turn down a text that contradicts the rest, and
# the cell stays where its RNA puts it; a hundred notes are too few for that.

# %%
wrong = mdata.copy()
spoilt = described.to_numpy() & (rng.random(mdata.n_obs) < 0.2)
wrong.obs.loc[spoilt, "note"] = [
    rng.choice(NOTES[rng.choice([x for x in NOTES if x != of])]) for of in kind[spoilt]
]
del wrong.mod["text"]
wrong.update()
ho.pp.add_ontology_modality(wrong, "note", name="text", vocabulary=mdata["text"])
agreement = model.get_agreement(wrong)["rna|text"]
both = agreement.notna().to_numpy()
found = roc_auc_score(spoilt[both], agreement[both])
plt.figure(figsize=(4, 2.6))
plt.hist([agreement[both & ~spoilt], agreement[both & spoilt]], bins=20)
plt.legend(["right note", "wrong note"])
plt.xlabel("disagreement of RNA and text, nats")
round(found, 3)
