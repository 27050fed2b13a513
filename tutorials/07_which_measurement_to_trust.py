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
from scipy.special import logit
from scipy.stats import binomtest

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
# compared with itself. Counts can be spoiled in two ways:
#
# - *Ambient*: a share of the counts is replaced by counts from the mean profile of all cells, as
#   free RNA in the droplets would give.
# - *Lost*: of each count, only a share is left.

# %%
rng = np.random.default_rng(0)
ambient_profile = mdata["rna"].X.toarray().sum(axis=0) / mdata["rna"].X.sum()


def lose(counts, left):
    """Each count stays with the probability `left`."""
    return rng.binomial(counts.astype(int), left)


def add_ambient(counts, share):
    """As many counts as before on average, of which a share is ambient."""
    expected = share * counts.sum(axis=1, keepdims=True) * ambient_profile
    return lose(counts, 1 - share) + rng.poisson(expected)


# %% [markdown]
# A third way leaves the counts as they are. *Swapped* proteins are those of another cell of the
# same batch: nothing is wrong with them as a measurement. Each cell gets the proteins of its
# partner, which is the next cell of its batch (and the first cell for the last).

# %%
partner = np.empty(cells.n_obs, dtype=int)
for members in cells.obs.reset_index().groupby("batch", observed=True).groups.values():
    partner[members] = np.roll(members, -1)

# %% [markdown]
# Now the versions of the cells. All have the same cells in the same order.


# %%
def with_counts(rna, protein):
    """A copy of the cells with other counts."""
    spoiled = cells.copy()
    spoiled["rna"].X, spoiled["adt"].X = rna.astype(np.float32), protein.astype(np.float32)
    return spoiled


versions = {
    "as measured": with_counts(rna, protein),
    "RNA 60 % ambient": with_counts(add_ambient(rna, 0.6), protein),
    "RNA 1 in 20 left": with_counts(lose(rna, 0.05), protein),
    "RNA half left": with_counts(lose(rna, 0.5), protein),
    "protein 1 in 20 left": with_counts(rna, lose(protein, 0.05)),
    "protein swapped": with_counts(rna, protein[partner]),
}

# %% [markdown]
# The three numbers of each version. `get_agreement` returns a score that is high where two
# measurements do *not* agree, so we call it disagreement here.

# %%
weights = {name: model.get_gate_weights(version) for name, version in versions.items()}
trust = {name: model.get_reliability(version) for name, version in versions.items()}
disagreement = {name: model.get_agreement(version)["rna|adt"] for name, version in versions.items()}


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
# Agreement compares what RNA alone and protein alone say about the cell. The score is high where
# they contradict each other; the p-value is small there, and says how rare such a score is among
# calibration cells.

# %%
swapped = versions["protein swapped"]
score = disagreement["protein swapped"]
p_value = model.get_agreement(swapped, kind="pvalue")["rna|adt"].to_numpy()
cell_type = cells.obs["cell_type"].astype(str).to_numpy()
same_type = cell_type == cell_type[partner]
everything = np.concatenate(list(disagreement.values()))
bins = np.linspace(everything.min(), everything.max(), 40)
plt.figure(figsize=(6, 3))
plt.hist(disagreement["as measured"], bins, alpha=0.6, label="as measured")
plt.hist(
    [score[same_type], score[~same_type]],
    bins,
    stacked=True,
    alpha=0.6,
    label=["swapped, of the same type", "swapped, of another type"],
)
plt.xlabel("disagreement of RNA and protein, nats")
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
# **How common failures are.** A tenth is an assumption. If failures are far rarer, most of the
# measurements that look suspicious are good ones. The first column below is the share of suspicious
# measurements that have failed, if as many look suspicious as did above, of proteins as measured
# and of proteins nearly gone. So if you expect another share, correct the log odds: there are fewer
# false alarms then, and fewer failures are found.

# %%
ASSUMED = 0.1
good, failed = (logit(trust[name]["adt"]) for name in ("as measured", "protein 1 in 20 left"))


def of_these_failed(expected, found, false):
    """The share of suspicious measurements that have failed."""
    return expected * found / (expected * found + (1 - expected) * false)


rows = {}
for expected in (0.1, 0.01, 0.001):
    shift = logit(ASSUMED) - logit(expected)
    found, alarms = float((failed + shift < 0).mean()), int((good + shift < 0).sum())
    most = binomtest(alarms, len(good)).proportion_ci(0.9).high
    rows[expected] = {
        "uncorrected: failed": of_these_failed(expected, (failed < 0).mean(), (good < 0).mean()),
        "corrected: found": found,
        "false alarms": f"{alarms} of {len(good)}",
        "rate at most": most,
        "failed at least": of_these_failed(expected, found, most),
    }
prior = pd.DataFrame(rows).T.rename_axis("expected")
print(prior.to_string(float_format="{:.3f}".format))

# %% [markdown]
# No false alarm among so few cells does not mean that there never is one. "Rate at most" is the
# highest rate of false alarms that these cells allow (upper end of a 90 % interval), and "failed at
# least" is the share of suspicious measurements that have failed at this rate. Where failures are
# rare, these limits leave nearly everything open: to know the share, you need thousands of good
# cells, or another way to check what looks suspicious.

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
# (`obs["hzau_disagreeing"]`). [Can this measurement be trusted?](../reliability.md) says what to do
# about them.

# %%
annotated = versions["RNA 60 % ambient"]
model.annotate(annotated)
print(annotated.obs["hzau_suspicious"].value_counts())
plt.close("all")
