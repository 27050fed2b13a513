# ---
# jupyter:
#   jupytext:
#     formats: py:percent
#   kernelspec:
#     display_name: Python 3
#     name: python3
# ---

# %% [markdown]
# # More cells than memory
#
# A model is usually trained on a MuData, which is in memory as a whole. A store on disk takes its
# place where that is too much: it is written once, file by file, and read in small pieces by
# training and by everything that follows. We write two stores, one with three times the cells of
# the other, measure what they need in memory, and impute into a folder on disk.
#
# The tutorial runs offline, in about four minutes on one processor core. It needs Linux, the extra
# `large` (`pip install '.[large]'` in a clone of the repository), and some 300 MB of disk space for
# as long as it runs.

# %%
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import anndata as ad
import matplotlib.pyplot as plt
import mudata
import numpy as np
import pandas as pd
from mudata import MuData

import hzau_omics as ho

folder = Path(tempfile.mkdtemp())

# %% [markdown]
# ## Files of samples
#
# These stand for your own files. Each holds the same 15,000 simulated cells, some of which lack
# protein, with a fifth of the counts left out at random, so that no two are the same.

# %%
N_CELLS = 15000
SMALL, LARGE = 3, 9
mdata = ho.data.simulate(
    N_CELLS, n_features={"rna": 300, "adt": 30}, missing={"adt": 0.2}, n_batches=2, seed=0
)
rng = np.random.default_rng(0)


def write_sample(sample):
    parts = {}
    for name, original in mdata.mod.items():
        part = parts[name] = original.copy()
        part.X.data = rng.binomial(part.X.data.astype(int), 0.8).astype(np.float32)
        part.X.eliminate_zeros()
        part.obs_names = part.obs_names + f"_{sample}"
    many = MuData(parts)
    original = many.obs_names.str.removesuffix(f"_{sample}")
    many.obs["batch"] = mdata.obs["batch"].loc[original].to_numpy()
    path = folder / f"sample{sample}.h5mu"
    many.write(path)
    return path


files = [write_sample(sample) for sample in range(LARGE)]
mib = sum(path.stat().st_size for path in files) / 2**20
print(f"{len(files)} files of {N_CELLS:,} cells, {mib:.0f} MiB together")

# %% [markdown]
# ## Stores
#
# `write_store` reads one file after another, block by block, and checks while it writes what
# `setup_mudata` would check. Modalities, likelihoods and the batch key are given here, and are part
# of the store. A file may lack modalities; names of cells must be unique in all files together.

# %%
stores = {}
for name, n_files in {"small": SMALL, "large": LARGE}.items():
    stores[name] = folder / f"{name}.zarr"
    ho.data.write_store(
        files[:n_files],
        stores[name],
        modalities={"rna": "nb", "adt": "nb"},
        batch_key="batch",
    )

large = ho.data.open_store(stores["large"])
large

# %%
on_disk = sum(file.stat().st_size for file in stores["large"].rglob("*") if file.is_file())
print(f"{large.n_cells:,} cells take {on_disk / 2**20:.0f} MiB on disk")

# %% [markdown]
# ## What it needs in memory
#
# Each measurement is a process of its own, because the highest memory of a process never falls
# again. It trains for one epoch, from the store or from the same files read as a whole, computes
# the embedding of all cells, and tells the highest memory that it ever held (`VmHWM`, which Linux
# keeps for each process).

# %%
CHILD = """
import json, sys
import hzau_omics as ho

def peak():
    lines = open("/proc/self/status").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024

way, *paths = sys.argv[1:]
model_class = ho.model.HZAUVAE
before = peak()
if way == "disk":
    model = model_class(ho.data.open_store(paths[0]))
else:
    samples = {f"sample{i}": path for i, path in enumerate(paths)}
    mdata = ho.data.read(samples, sample_key="sample")
    model_class.setup_mudata(mdata, {"rna": "nb", "adt": "nb"}, batch_key="batch")
    model = model_class(mdata)
model.train(max_epochs=1, batch_size=512, accelerator="cpu", enable_progress_bar=False, seed=0)
model.get_latent_representation()
print(json.dumps({"libraries": before, "peak": peak(), "cells": model.n_cells}))
"""


def measure(way, paths):
    command = [sys.executable, "-c", CHILD, way, *map(str, paths)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    if answer.returncode:
        raise RuntimeError(answer.stderr)
    return {"from": way, **json.loads(answer.stdout.splitlines()[-1])}


rows = []
for name, n_files in {"small": SMALL, "large": LARGE}.items():
    rows.append(measure("disk", [stores[name]]))
    rows.append(measure("memory", files[:n_files]))
memory = pd.DataFrame(rows)
print(memory.round(0).to_string(index=False))

# %%
peak = memory.pivot(index="cells", columns="from", values="peak")
peak.plot(marker="o", figsize=(5, 3), ylim=(0, 1.1 * peak.to_numpy().max()))
plt.axhline(memory["libraries"].mean(), color="grey", linestyle="--", linewidth=0.8)
plt.text(peak.index[0], memory["libraries"].mean(), "libraries alone", va="bottom", fontsize=8)
plt.ylabel("highest memory, MiB")
plt.tight_layout()

# %%
growth = (peak.loc[peak.index[-1]] - peak.loc[peak.index[0]]) / np.ptp(peak.index)
for way, per_cell in growth.items():
    print(f"from {way}: {1024 * per_cell:.1f} KiB more for each further cell")

# %% [markdown]
# Libraries alone take the larger part of the memory here. Beyond that, the need grows with the
# values if all of them are in memory, and hardly if they are on disk: then only what a model keeps
# of each cell adds to it, such as its name and its embedding. With few cells a store saves nothing:
# the cells that are read ahead, and the calibration after training, need memory that grows with the
# first tens of thousands of cells. With whole transcriptomes the difference is larger, as these
# cells have 300 genes. Speed and memory up to a million cells: `docs/benchmarks/streaming.md`.
#
# ## Training, and results
#
# The store goes where a MuData would go, without `setup_mudata`. Cells are read in short runs of
# neighbours in random order, so that files need no shuffling. `annotate` writes into the store,
# some cells at a time. To be quick, we go on with the small one.

# %%
store = ho.data.open_store(stores["small"])
model = ho.model.HZAUVAE(store)
model.train(max_epochs=3, batch_size=256, seed=0)
model.annotate()
print(store.obsm["X_hzau"].shape)

# %% [markdown]
# `write_imputed` imputes and writes to disk. Here protein is predicted from RNA alone for every
# cell with RNA, also for those that lack protein. `anndata.read_zarr` reads the result, and
# `anndata.experimental.read_lazy` only what is looked at.

# %%
imputed_path = folder / "protein.zarr"
model.write_imputed(imputed_path, "adt", given=["rna"], n_samples=4, seed=0)
imputed = ad.read_zarr(imputed_path)
imputed

# %% [markdown]
# Is it right? Most cells had protein, which was not used here. (It was used in training: this is a
# check that the file holds what it should, and no benchmark.)

# %%
measured = ad.concat([mudata.read_h5mu(path)["adt"] for path in files[:SMALL]])
predicted = imputed[measured.obs_names].layers["log1p_mean"]
observed = np.log1p(measured.X.toarray())
correlation = pd.Series(
    [np.corrcoef(*pair)[0, 1] for pair in zip(predicted.T, observed.T, strict=True)],
    index=measured.var_names,
)
print(f"correlation with the measured protein: median {correlation.median():.2f}")

# %%
best = correlation.idxmax()
column = measured.var_names.get_loc(best)
plt.figure(figsize=(4, 3.5))
plt.hexbin(predicted[:, column], observed[:, column], gridsize=40, bins="log", mincnt=1)
plt.xlabel(f"{best}, imputed from RNA (mean of log1p)")
plt.ylabel("measured (log1p)")
plt.tight_layout()

# %% [markdown]
# ## Several devices
#
# `devices=2` starts two processes. Both share each minibatch, and end with the same model. Every
# process runs the whole script, so the code belongs under `if __name__ == "__main__":`, and it
# cannot be started from a notebook like this one. A script `train.py`:
#
# ```python
# import hzau_omics as ho
#
# if __name__ == "__main__":
#     store = ho.data.open_store("cells.zarr")
#     model = ho.model.HZAUVAE(store)
#     model.train(accelerator="gpu", devices=2, seed=0)
#     model.annotate()
#     model.write_imputed("protein.zarr", "adt", given=["rna"], seed=0)
#     model.save("model")
# ```
#
# `batch_size` counts the cells of all devices together, and only the first process writes files. We
# have not run this on several GPUs for this tutorial; the tests of the package train with two
# processes on a processor. `docs/large.md` has the details.
#
# ## Slurm
#
# For joint training under Slurm, Lightning takes one task for each device:
#
# ```bash
# #!/bin/bash
# #SBATCH --nodes=1 --ntasks-per-node=2 --gres=gpu:2
# #SBATCH --cpus-per-task=8 --mem=32G --time=04:00:00
# export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
# srun python train.py
# ```
#
# Several trainings that do not know of each other, such as one for each seed, are tasks of an
# array. Write the store before, in a job of its own. Tasks may read one store at the same time, but
# each needs an output of its own: save the models, and call `annotate`, which writes into the
# store, for one of them later.
#
# ```bash
# #!/bin/bash
# #SBATCH --array=0-4 --ntasks=1 --cpus-per-task=8 --mem=16G --time=04:00:00
# export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
# srun python train_one.py --seed $SLURM_ARRAY_TASK_ID --out models/$SLURM_ARRAY_TASK_ID
# ```
#
# These job scripts are examples that we have not run on a cluster.
#
# Jobs have a time limit. `checkpoint_dir=` writes a checkpoint after each epoch, and `resume_from=`
# goes on from it: with the same seed, to the same result as a training without interruption.

# %%
plt.close("all")
shutil.rmtree(folder)
