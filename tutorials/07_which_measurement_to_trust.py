# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # Which measurement to trust
#
# A model says three things about the measurements of a cell: how much the embedding relies on each
# (gate weights), whether each looks intact (reliability), and whether two of them come from one
# cell (agreement). We train a model on blood cells, spoil held-out cells in ways that we know, and
# read what each number says, and what it cannot say.
#
# The tutorial runs offline, in about a minute on one processor core.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from scipy.special import expit, logit

import hzau_omics as ho

# %% [markdown]
# ## A model, and cells that it has not seen
#
# Half of the cells of this mosaic have RNA and protein. A fifth is set aside to be spoiled (test
# cells). Another fifth is for calibration: reliability is calibrated on these cells, and they are
# what p-values compare with. That is more than by default, because the data are small.

# %%
mdata = ho.data.load("pbmc_mosaic")
ho.model.HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"}, batch_key="batch")
model = ho.model.HZAUVAE(mdata)
model.train(max_epochs=40, train_size=0.55, validation_size=0.05, calibration_size=0.2, seed=0)

# %%
test = mdata[np.sort(model.test_indices_)]
has_both = test.obs_names.isin(test["rna"].obs_names) & test.obs_names.isin(test["adt"].obs_names)
cells = test[has_both].copy()
rna, protein = cells["rna"].X.toarray(), cells["adt"].X.toarray()
print(
    f"{cells.n_obs} test cells with both, {np.median(rna.sum(1)):.0f} counts of RNA in the median"
)

# %% [markdown]
# ## Spoiling them
#
# Each cell is kept as it was measured, and spoiled in several ways. Each spoiled cell can then be
# compared with itself.
#
# - *Ambient*: 60 % of the counts of RNA are replaced by counts from the mean profile of all cells,
#   as free RNA in the droplets would give.
# - *Lost*: one count in twenty is left, or half of them.
# - *Swapped*: the protein counts are those of another cell of the same batch. Nothing is wrong with
#   them as a measurement.

# %%
rng = np.random.default_rng(0)
ambient_profile = mdata["rna"].X.toarray().sum(0) / mdata["rna"].X.sum()


def add_ambient(counts, share):
    own = rng.binomial(counts.astype(int), 1 - share)
    return own + rng.poisson(share * counts.sum(1, keepdims=True) * ambient_profile)


def keep(counts, share):
    return rng.binomial(counts.astype(int), share)


def partners(batch):
    """The next cell of the same batch, for each cell."""
    partner = np.empty(len(batch), dtype=int)
    for name in np.unique(batch):
        members = np.flatnonzero(batch == name)
        partner[members] = np.roll(members, -1)
    return partner


def with_counts(rna, protein):
    spoiled = cells.copy()
    spoiled["rna"].X, spoiled["adt"].X = rna.astype(np.float32), protein.astype(np.float32)
    return spoiled


partner = partners(cells.obs["batch"].to_numpy())
versions = {
    "as measured": with_counts(rna, protein),
    "RNA 60 % ambient": with_counts(add_ambient(rna, 0.6), protein),
    "RNA 1 in 20 left": with_counts(keep(rna, 0.05), protein),
    "RNA half left": with_counts(keep(rna, 0.5), protein),
    "protein 1 in 20 left": with_counts(rna, keep(protein, 0.05)),
    "protein swapped": with_counts(rna, protein[partner]),
}

# %%
weights = {name: model.get_gate_weights(version) for name, version in versions.items()}
trust = {name: model.get_reliability(version) for name, version in versions.items()}
score = {name: model.get_agreement(version)["rna|adt"] for name, version in versions.items()}


def stacked(tables):
    """One table of all versions, and the version of each row."""
    version = pd.Categorical(np.repeat(list(tables), cells.n_obs), list(tables))
    return pd.concat(tables.values(), ignore_index=True), version


# %% [markdown]
# ## Gate weights: what the embedding relies on
#
# As measured, both modalities count about the same. Where one is ambient or nearly gone, the gate
# relies on the other. Swapped proteins count as much as right ones: they are a good measurement.

# %%
ho.pl.gate(*stacked(weights))

# %% [markdown]
# The mean hides that weights differ from cell to cell anyway. What a failure does to the weight of
# RNA in *the same* cell is clearer:

# %%
spoiled = [name for name in versions if name != "as measured"]
change = {name: weights[name]["rna"] - weights["as measured"]["rna"] for name in spoiled}
plt.figure(figsize=(7, 3))
plt.boxplot(list(change.values()), orientation="horizontal", tick_labels=spoiled, sym=".")
plt.axvline(0, color="grey", linewidth=0.8)
plt.gca().invert_yaxis()
plt.xlabel("weight of RNA, spoiled minus as measured")
plt.tight_layout()

# %% [markdown]
# A weight is relative, and has no threshold: it does not say that a measurement is wrong.
#
# ## Reliability: is this measurement good?
#
# Reliability has a meaning of its own: the probability that a measurement has not failed, if one in
# ten has. *Failed* means that at least half of the counts are ambient, or at most a tenth is left.

# %%
ho.pl.reliability(*stacked(trust))

# %%
suspicious = pd.DataFrame({name: (table < 0.5).mean() for name, table in trust.items()}).T
print("share with a reliability below 0.5")
print(suspicious.round(2))

# %% [markdown]
# Both failures of RNA are found in almost every cell, and so is the loss of protein. The other
# modality, which is intact, stays above suspicion. Half of the counts lost is not a failure by this
# definition, and most of these cells pass. About the swapped proteins reliability is in two minds:
# nothing is wrong with them but that they do not fit the RNA.
#
# How much does it take? Reliability tells clean measurements from failed ones, and those in between
# are neither. It falls before half of the counts are ambient: a low value says that a measurement
# is not clean, and not how much of it is foreign.

# %%
shares = [0.0, 0.2, 0.4, 0.5, 0.6, 0.8]
dose = {
    share: model.get_reliability(with_counts(add_ambient(rna, share), protein))["rna"]
    for share in shares
}
plt.figure(figsize=(5, 3))
quartiles = np.quantile(list(dose.values()), [0.25, 0.5, 0.75], axis=1)
plt.fill_between(shares, quartiles[0], quartiles[2], alpha=0.3, label="half of the cells")
plt.plot(shares, quartiles[1], marker="o", label="median")
plt.axvline(0.5, color="grey", linewidth=0.8, linestyle="--")
plt.xlabel("ambient share of the RNA counts")
plt.ylabel("reliability of RNA")
plt.legend()
plt.tight_layout()

# %% [markdown]
# ## Agreement: are they of one cell?
#
# Agreement compares what RNA alone and protein alone say about the cell. A high score means that
# they disagree; the p-value says how rare such a score is among calibration cells.

# %%
swapped = versions["protein swapped"]
p_value = model.get_agreement(swapped, kind="pvalue")["rna|adt"].to_numpy()
cell_type = cells.obs["cell_type"].astype(str).to_numpy()
same_type = cell_type == cell_type[partner]
bins = np.linspace(min(map(np.min, score.values())), max(map(np.max, score.values())), 40)
plt.figure(figsize=(6, 3))
plt.hist(score["as measured"], bins, alpha=0.6, label="as measured")
plt.hist(
    [score["protein swapped"][same_type], score["protein swapped"][~same_type]],
    bins,
    stacked=True,
    alpha=0.6,
    label=["swapped, of the same type", "swapped, of another type"],
)
plt.xlabel("agreement score in nats (higher = agree less)")
plt.ylabel("cells")
plt.legend()
plt.tight_layout()

# %%
as_measured = model.get_agreement(cells, kind="pvalue")["rna|adt"].to_numpy()
disagreeing = {
    "as measured": (as_measured < 0.05).mean(),
    "swapped, of the same type": (p_value[same_type] < 0.05).mean(),
    "swapped, of another type": (p_value[~same_type] < 0.05).mean(),
}
for name, share in disagreeing.items():
    print(f"p < 0.05: {share:.0%} of the cells {name}")

# %% [markdown]
# Of cells as measured about one in twenty has a p-value below 0.05, as it should be. Swaps between
# types are found; between two cells of one type there is little to disagree about.
#
# ## What cannot be known
#
# **Which of the two is wrong.** RNA of cell A beside protein of cell B: is this A with foreign
# protein, or B with foreign RNA? We prepare both. They are the same numbers, and so is each answer.

# %%
foreign_protein = trust["protein swapped"].to_numpy()
of_partner = np.argsort(partner)  # the cell whose partner each cell is
foreign_rna = model.get_reliability(with_counts(rna[of_partner], protein)).to_numpy()
difference = np.abs(foreign_protein - foreign_rna[partner]).max()
blamed = (foreign_protein < 0.5).mean(axis=0)
print(f"largest difference between the two cases: {difference:.1g}")
print(f"reliability below 0.5: RNA {blamed[0]:.0%}, protein {blamed[1]:.0%}, whichever is foreign")

# %% [markdown]
# So if reliability is low for one of two disagreeing measurements, and the only thing against it is
# the other one, do not conclude that this one is foreign. A third measurement could decide, or a
# whole plate of cells with the same shift.
#
# **How common failures are.** A tenth is an assumption. If you expect another share, correct the
# log odds. If failures are rare, most of the measurements that look suspicious are good ones: the
# last column counts on the shares that we measured above.

# %%
ASSUMED = 0.1
rows = []
for expected in (0.1, 0.01, 0.001):
    shift = logit(ASSUMED) - logit(expected)
    clean, failed = (
        (expit(logit(trust[name]["adt"]) + shift) < 0.5).mean()
        for name in ("as measured", "protein 1 in 20 left")
    )
    truly = expected * failed / max(expected * failed + (1 - expected) * clean, 1e-12)
    rows.append({"expected": expected, "found": failed, "false": clean, "of these failed": truly})
prior = pd.DataFrame(rows).set_index("expected")
print(prior.round(3))

# %% [markdown]
# **A cell with few counts, or a cell that lost some?** A small cell has few counts to begin with.
# After the loss of half, a cell looks like another one that was measured in full. Only where hardly
# anything is left, no good cell looks like that.

# %%
plt.figure(figsize=(6, 3.5))
for name in ("as measured", "RNA half left", "RNA 1 in 20 left"):
    total = versions[name]["rna"].X.sum(axis=1)
    plt.scatter(total, trust[name]["rna"], s=8, alpha=0.6, label=name)
plt.xscale("log")
plt.xlabel("total counts of RNA")
plt.ylabel("reliability of RNA")
plt.legend()
plt.tight_layout()

# %% [markdown]
# ## What to do with it
#
# Look before you impute *from* a measurement. Protein is imputed here from RNA alone, and compared
# with what was measured, in the twenty proteins that vary most. Ambient RNA was part of training,
# which taught the model to expect less of it: errors grow, and the intervals hold about as often.
# Nothing in training looks like the RNA of another cell, and no interval allows for it.

# %%
log_protein = np.log1p(protein)
varying = cells["adt"].var_names[np.argsort(-log_protein.var(axis=0))[:20]]
sources = {
    "as measured": cells,
    "60 % ambient": versions["RNA 60 % ambient"],
    "another cell's": with_counts(rna[of_partner], protein),
}
covered, error = {}, {}
for name, source in sources.items():
    pit = model.get_pit("adt", source, given="rna", n_samples=50, seed=0)[varying].to_numpy()
    imputed = model.impute("adt", source, given="rna", n_samples=20, seed=0)[:, varying]
    truth = cells["adt"][:, varying].X.toarray()
    covered[name] = (pit >= 0.05) & (pit <= 0.95)
    error[name] = np.abs(imputed.layers["log1p_mean"] - np.log1p(truth)).mean()
    print(f"RNA {name}: error {error[name]:.2f}, 90 % intervals cover {covered[name].mean():.0%}")

# %% [markdown]
# Where both were measured, agreement says which cells to leave out. Foreign RNA from a cell of the
# same type remains, and does little harm.

# %%
pvalues = model.get_agreement(sources["another cell's"], kind="pvalue")["rna|adt"].to_numpy()
agreeing = pvalues >= 0.05
covered_agreeing = covered["another cell's"][agreeing].mean()
print(
    f"{agreeing.sum()} of {cells.n_obs} cells remain; their intervals cover {covered_agreeing:.0%}"
)
own_type = (cell_type == cell_type[of_partner])[agreeing]
print(f"the RNA of {own_type.mean():.0%} of these comes from a cell of the same type")

# %% [markdown]
# In your own data you do not know which cells are spoiled. `model.annotate` writes all of this into
# `obsm`, and lists suspicious measurements (`obs["hzau_suspicious"]`) and pairs that disagree
# (`obs["hzau_disagreeing"]`). What to do about them: `docs/reliability.md`.

# %%
annotated = versions["RNA 60 % ambient"]
model.annotate(annotated)
print(annotated.obs["hzau_suspicious"].value_counts())
plt.close("all")
