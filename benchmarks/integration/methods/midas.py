"""scMIDAS: ``integrate()`` on the mosaic that its authors bring, longer training elsewhere.

Its documentation says that the settings of ``integrate()`` are for that small mosaic, and that
1,000 to 2,000 epochs with the defaults of ``MIDAS`` are typical of other data. All cells of one of
its batches have the same modalities; cells that differ in this are batches of their own.
"""

import tempfile

import lightning
import numpy as np
import pandas as pd
import scmidas  # type: ignore[import-not-found, import-untyped]
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from benchmarks.integration.methods.exchange import (
    CHROMATIN,
    PROTEIN,
    RNA,
    Cells,
    Embedding,
    spread,
)
from benchmarks.integration.methods.training import cut_short, quiet, time_limit

PACKAGES = ("scmidas", "torch")
NAMES = {RNA: "rna", PROTEIN: "adt", CHROMATIN: "atac"}
EPOCHS = 1_000
SMALL = {"max_epochs": 65, "batch_size": 128, "lr_net": 3e-4, "lr_dsc": 3e-4}
"""What ``integrate()`` sets."""
SMALL_CELLS = 1_600
"""Cells of the mosaic for which it is tuned."""


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Train, and give the biological latent from all modalities and from each alone."""
    quiet()
    lightning.seed_everything(seed, verbose=False)
    mdata, chunks = as_mudata(cells)
    small = cells.n <= SMALL_CELLS
    configs = dict(scmidas.load_config())
    # Twenty processes that read data are slower than none on two cores.
    configs |= {"num_workers": 0, "persistent_workers": False, "pin_memory": False}
    if small:
        configs |= {name: SMALL[name] for name in ("lr_net", "lr_dsc")}
    scmidas.MIDAS.setup_mudata(mdata, batch_key="batch", dims_x=chunks)
    with tempfile.TemporaryDirectory() as folder:
        model = scmidas.MIDAS(
            mdata,
            configs=configs,
            save_model_path=folder,
            **({"batch_size": SMALL["batch_size"]} if small else {}),
        )
        model.train(
            max_epochs=SMALL["max_epochs"] if small else EPOCHS,
            max_time=time_limit(seconds),
            enable_progress_bar=False,
            logger=False,
            enable_checkpointing=False,
        )
        epochs, cut = model.trainer.current_epoch, cut_short(model.trainer, seconds)
        return _embedding(model, mdata, cells, epochs=epochs, cut=cut)


def as_mudata(cells: Cells) -> tuple[MuData, dict[str, list[int]]]:
    """Return the cells as scMIDAS has them, and the features of each of a modality's chunks."""
    parts, chunks = {}, {}
    for m in cells.modalities:
        rows, order = cells.rows(m), np.arange(len(cells.features[m]))
        if m == CHROMATIN:
            # Chromatin is encoded chromosome by chromosome, as in the publication.
            chromosome = np.array([name.split("_")[0] for name in cells.features[m]])
            order = np.argsort(chromosome, kind="stable")
            chunks[NAMES[m]] = np.unique(chromosome, return_counts=True)[1].tolist()
        adata = AnnData(
            sparse.csr_matrix(cells.counts[m][rows][:, order], dtype=np.float32),
            obs=pd.DataFrame({"batch": cells.group[rows]}, index=cells.names[rows]),
            var=pd.DataFrame(index=cells.features[m][order]),
        )
        if not cells.measured[m].all():
            for name in np.unique(cells.group[rows]):
                batch = cells.batch[cells.group == name][0]
                mask = cells.measured[m][np.flatnonzero(cells.batches == batch)[0]][order]
                adata.uns[f"mask_{name}"] = mask.astype(np.float32)
        parts[NAMES[m]] = adata
    return MuData(parts), chunks


def _embedding(
    model: scmidas.MIDAS, mdata: MuData, cells: Cells, *, epochs: int, cut: bool
) -> Embedding:
    joint = model.get_latent_representation()[mdata.obs_names.get_indexer(cells.names)]
    found = model.predict(joint_latent=True, mod_latent=True, verbose=False)
    alone = {}
    for m in cells.modalities:
        rows, z = [], []
        for name in model.batch_names:
            chosen = np.flatnonzero(cells.present[m] & (cells.group == str(name)))
            if len(chosen):
                rows.append(chosen)
                z.append(found[name]["z_c"][NAMES[m]])
        alone[m] = spread(np.concatenate(z), np.concatenate(rows), cells.n)
    return Embedding(joint=joint, alone=alone, cut=cut, info={"epochs": epochs})
