"""Train on one or two processes and write what came of it; run by test_distributed.py.

Usage: two_processes.py DEVICES MODE OUT [STORE]
"""

import json
import sys
import warnings
from pathlib import Path

import torch
from lightning.pytorch import Callback

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from hzau_omics.nn.posterior.gaussian import DiagonalGaussian

PAIR = {"rna": "nb", "adt": "nb"}
N_STEPS_KEPT = 3


class Gradients(Callback):
    """Keep the gradients of the first steps, as the optimiser gets them."""

    def __init__(self):
        self.steps = []

    def on_before_optimizer_step(self, trainer, pl_module, optimizer):
        if len(self.steps) < N_STEPS_KEPT:
            parameters = pl_module.network.named_parameters()
            self.steps.append({k: v.grad.clone() for k, v in parameters if v.grad is not None})


class SeenCells(Callback):
    """Count how often each cell is trained on in the first epoch."""

    def __init__(self, n_cells):
        self.counts = torch.zeros(n_cells)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if trainer.current_epoch == 0 and batch.weight:
            self.counts[batch.rows] += 1

    def on_train_epoch_end(self, trainer, pl_module):
        if trainer.current_epoch == 0 and trainer.world_size > 1:
            torch.distributed.all_reduce(self.counts)


def main(devices, mode, out, store=None):
    deterministic = mode == "deterministic"
    if deterministic:
        DiagonalGaussian.sample = lambda q, generator=None: q.mean
    mdata = ho.data.simulate(
        231, n_features={"rna": 20, "adt": 8}, n_batches=2, missing={"adt": 0.4, "rna": 0.3}
    )
    options = {"n_latent": 4, "n_hidden": 16}
    if deterministic:
        options |= {"dropout": 0.0, "encoder_dropout": 0.0, "input_dropout": 0.0}
    if store:
        data = ho.data.open_store(store)
    else:
        HZAUVAE.setup_mudata(mdata, PAIR, batch_key="batch")
        data = mdata
    model = HZAUVAE(data, **options)
    gradients, seen = Gradients(), SeenCells(231)
    model.train(
        max_epochs=2 if deterministic else 15,
        devices=devices,
        accelerator="cpu",
        batch_size=32,
        # 193 cells: the last minibatch has one, which only one process gets.
        train_size=193 / 231,
        seed=int(mode) if mode.isdigit() else 0,
        enable_progress_bar=False,
        early_stopping=False,
        # Corruption is noise too.
        plan_kwargs={"corruption": 0.0, "mixing": 0.0} if deterministic else None,
        callbacks=[gradients, seen],
    )
    model.save(Path(out) / "model")
    rank = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0
    report = {
        "epochs": model.n_epochs_trained_,
        "history": model.history["elbo_validation"].iloc[:, 0].tolist(),
        "loss": model.history["train_loss"].iloc[:, 0].tolist(),
        "elbo": model.get_elbo(indices=model.validation_indices, n_samples=20, seed=0),
        "n_train": len(model.train_indices),
        "seen": sorted(set(seen.counts[torch.as_tensor(model.train_indices)].tolist())),
        "calibration": model.calibration_,
    }
    (Path(out) / f"report{rank}.json").write_text(json.dumps(report))
    torch.save(gradients.steps, Path(out) / f"gradients{rank}.pt")
    torch.save(model.module.state_dict(), Path(out) / f"weights{rank}.pt")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    main(int(sys.argv[1]), *sys.argv[2:])
