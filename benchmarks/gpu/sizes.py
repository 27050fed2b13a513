"""How large everything is: on a GPU, and in a rehearsal on a CPU."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """Sizes of all sections.

    Attributes
    ----------
    accelerator
        Where models are trained, as in Lightning.
    n_cells
        Cells of PBMC10k at most.
    compared_epochs
        Epochs of the trainings whose likelihoods are compared.
    batch_sizes, peer_batch_sizes
        Cells per step of ours and of totalVI.
    timed_s
        Seconds that a timed training should take about.
    n_repeats
        How often the cells of PBMC10k are there in it.
    profiled_batch, profiled_epochs
        Cells per step and epochs of the training whose kernels are counted.
    default_epochs
        Epochs of the training with default options; None for as many as `train()` takes.
    n_distinct, n_copies, n_features, large_epochs, large_batch, n_imputed
        The large set: simulated cells, how often each is there, features of RNA and protein, epochs
        and cells per step, and cells whose protein is imputed.
    table1_systems, table1_epochs, table1_train, table1_test, table1_draws
        Systems, the most important first, and epochs, images and draws of the table of the paper.
    judged
        Whether accuracies are held to limits, for which a rehearsal is too short.
    """

    accelerator: str
    n_cells: int
    compared_epochs: int
    batch_sizes: tuple[int, ...]
    peer_batch_sizes: tuple[int, ...]
    timed_s: float
    n_repeats: int
    profiled_batch: int
    profiled_epochs: int
    default_epochs: int | None
    n_distinct: int
    n_copies: int
    n_features: tuple[int, int]
    large_epochs: int
    large_batch: int
    n_imputed: int
    table1_systems: tuple[str, ...]
    table1_epochs: int
    table1_train: int
    table1_test: int
    table1_draws: int
    judged: bool


SIZES = {
    "full": Sizes(
        accelerator="gpu", n_cells=100_000, compared_epochs=5,
        batch_sizes=(2048, 128, 512, 8192), peer_batch_sizes=(256, 2048), timed_s=4.0,
        n_repeats=8,
        profiled_batch=2048, profiled_epochs=10, default_epochs=None,
        n_distinct=20_000, n_copies=50, n_features=(2_000, 100), large_epochs=20,
        large_batch=8192, n_imputed=100_000,
        table1_systems=(
            "HZAUVAE", "MVAE", "JMVAE", "MMVAE", "MoPoEVAE", "CoDEVAE", "MVAEQ", "VAE", "CVAE",
            "BiVCCA",
        ),
        table1_epochs=500, table1_train=60_000, table1_test=1_000, table1_draws=1_000,
        judged=True,
    ),
    "rehearsal": Sizes(
        accelerator="cpu", n_cells=400, compared_epochs=1,
        batch_sizes=(128,), peer_batch_sizes=(128,), timed_s=0.0, n_repeats=2,
        profiled_batch=128, profiled_epochs=2, default_epochs=2,
        n_distinct=200, n_copies=3, n_features=(300, 20), large_epochs=2,
        large_batch=256, n_imputed=100,
        table1_systems=("HZAUVAE", "VAE", "CVAE"),
        table1_epochs=1, table1_train=300, table1_test=20, table1_draws=20,
        judged=False,
    ),
}  # fmt: skip
"""By the name that records give."""
