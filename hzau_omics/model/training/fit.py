"""Fitting a network: heads of reliability first, then the network on the sub-sampled objective."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from hzau_omics.data.stores.gpu import ResidentCells
from hzau_omics.data.stores.splits import Split
from hzau_omics.model.training.after import calibrations_of
from hzau_omics.model.training.config import TrainingPlanConfig
from hzau_omics.model.training.data import MosaicDataModule
from hzau_omics.model.training.heads import train_heads
from hzau_omics.model.training.plan import Precision, TrainingPlan
from hzau_omics.model.training.run import RunConfig, RunResult, run_training
from hzau_omics.model.training.trained import Trained


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """Options of one call of `train`, checked.

    Attributes
    ----------
    plan
        Optimiser, schedules and objective.
    run
        The trainer.
    batch_size
        Cells per step.
    shares
        Shares of training, validation and calibration cells; None for their defaults.
    precision
        Precision of wide products.
    device_memory_gb
        Memory in GiB that cells may take on a GPU; None for half of what is free.
    """

    plan: TrainingPlanConfig
    run: RunConfig
    batch_size: int
    shares: tuple[float, float | None, float | None]
    precision: Precision
    device_memory_gb: float | None


def fit(
    trained: Trained, split: Split, options: FitOptions, weights: Mapping[str, float]
) -> RunResult:
    """Fit the network of `trained` to the training cells; it keeps the best averaged weights."""
    network, store, corruptor = trained.network, trained.store, trained.corruptor
    n_steps = options.run.max_epochs * -(-len(split.train) // options.batch_size)
    corrupts = options.plan.corruption > 0
    data = MosaicDataModule(
        store, split, options.batch_size, trained.seed, device_memory_gb=options.device_memory_gb
    )
    plan = TrainingPlan(
        network,
        options.plan,
        modality_weights=torch.tensor([weights[name] for name in store.layout.names]),
        n_steps=n_steps,
        seed=trained.seed,
        precision=options.precision,
        corruptor=corruptor if corrupts else None,
    )

    def before(device: torch.device) -> None:
        # Validation predicts unseen values too: the calibration of former weights must not count.
        for calibration in calibrations_of(network):
            calibration.reset(network)
        if corrupts:
            network.to(device)
            feed = data.place(device)
            cells = feed if isinstance(feed, ResidentCells) else store
            train_heads(network, cells, split.train, corruptor, seed=trained.seed, n_steps=n_steps)
        plan.to(device)
        # Heads are trained by now, and no average with what they were before would be.
        plan.restart_average()

    # Parameters of added batches are few, and are fitted to the network as it answers: no dropout.
    network.train(mode=not network.config.n_added)
    try:
        result = run_training(plan, data, options.run, before=before)
    finally:
        network.eval()
    # Lightning leaves the weights on the CPU.
    network.to(result.device)
    return result
