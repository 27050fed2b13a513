"""UniVI, with the settings of its quickstart: trained on paired cells, which it needs.

Other cells are mapped from the modality that they have. Each preprocessor is fitted on the paired
cells of the training part.
"""

import numpy as np
import torch
from anndata import AnnData
from univi import (  # type: ignore[import-not-found, import-untyped]
    ModalityConfig,
    TrainingConfig,
    UniVIConfig,
    UniVIMultiModalVAE,
    UniVITrainer,
)
from univi.evaluation import (  # type: ignore[import-not-found, import-untyped]
    encode_adata,
    encode_fused_adata_pair,
)
from univi.preprocessing import (  # type: ignore[import-not-found, import-untyped]
    ADTPreprocessor,
    ATACPreprocessor,
    RNAPreprocessor,
)
from univi.workflows import make_loader  # type: ignore[import-not-found, import-untyped]

from benchmarks.integration.methods.exchange import (
    CHROMATIN,
    PROTEIN,
    RNA,
    Cells,
    Embedding,
    spread,
)
from benchmarks.integration.methods.preprocessing import modality_data

PACKAGES = ("univi", "torch")
VALIDATION = 0.1
LAYERS = {RNA: [512, 256, 128], CHROMATIN: [128, 64], PROTEIN: [128, 64]}
"""Units of the encoders; the decoders have the same in reverse."""


def embed(cells: Cells, seed: int, seconds: float) -> Embedding:
    """Train on paired cells; embed these from all modalities, others from what they have."""
    torch.manual_seed(seed)
    paired = np.random.default_rng(seed).permutation(np.flatnonzero(cells.paired))
    n_validation = int(VALIDATION * len(paired))
    parts = {m: _prepared(cells, m, paired[n_validation:]) for m in cells.modalities}
    train, validation = (
        {m: parts[m][cells.names[rows]].copy() for m in parts}
        for rows in (paired[n_validation:], paired[:n_validation])
    )
    model = UniVIMultiModalVAE(
        UniVIConfig(
            latent_dim=30, beta=1.25, gamma=4.35, encoder_dropout=0.1, decoder_dropout=0.05,
            kl_anneal_start=50, kl_anneal_end=85, align_anneal_start=75, align_anneal_end=110,
            modalities=[
                ModalityConfig(
                    m, parts[m].n_vars, LAYERS[m], LAYERS[m][::-1], likelihood="gaussian"
                )
                for m in parts
            ],
        )
    )  # fmt: skip
    UniVITrainer(
        model,
        train_loader=make_loader(train, batch_size=256, shuffle=True, drop_last=True, seed=seed),
        val_loader=make_loader(validation, batch_size=1024),
        train_cfg=TrainingConfig(
            n_epochs=400, lr=1e-3, weight_decay=1e-4, device="cpu", early_stopping=True,
            patience=50, best_epoch_warmup=110, seed=seed,
        ),
    ).fit()  # fmt: skip
    return _embedding(model, cells, parts)


def _prepared(cells: Cells, modality: str, fit_on: np.ndarray) -> AnnData:
    """Return one modality of all cells that have it, as UniVI's own preprocessors make it."""
    makers = {
        RNA: lambda: RNAPreprocessor(n_hvg=2000, scale=True, layer=None),
        PROTEIN: lambda: ADTPreprocessor(scale=True, layer=None),
        CHROMATIN: lambda: ATACPreprocessor(n_components=101, drop_first=True, layer=None),
    }
    adata = modality_data(cells, modality)
    # Its preprocessors take one panel: the proteins that all batches measured.
    adata = adata[:, cells.measured[modality].all(axis=0)].copy()
    maker = makers[modality]().fit(adata[cells.names[fit_on]].copy())
    prepared: AnnData = maker.transform(adata)
    return prepared


def _embedding(model: UniVIMultiModalVAE, cells: Cells, parts: dict[str, AnnData]) -> Embedding:
    alone = {
        m: spread(
            encode_adata(model, x, modality=m, latent="modality_mean"), cells.rows(m), cells.n
        )
        for m, x in parts.items()
    }
    # The mean of those that a cell has: of cells with one modality it is that one.
    joint = np.nanmean(np.stack(list(alone.values())), axis=0)
    both = np.flatnonzero(cells.paired)
    fused = encode_fused_adata_pair(
        model,
        {m: x[cells.names[both]].copy() for m, x in parts.items()},
        return_gates=False,
        return_gate_logits=False,
        write_to_adatas=False,
    )
    joint[both] = fused["Z_fused"]
    return Embedding(joint=joint, alone=alone)
