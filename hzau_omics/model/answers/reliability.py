"""How far measurements can be trusted and whether they agree, as a trained model judges it."""

import numpy as np
import pandas as pd
import torch

from hzau_omics.checks import check_choice
from hzau_omics.errors import ConfigError
from hzau_omics.model.answers.session import InferenceSession, evaluating
from hzau_omics.nn.reliability.evidence import pairs_of
from hzau_omics.nn.scoring.measurements import gather_evidence, pair_agreement

AGREEMENT_KINDS = ("score", "pvalue")


def reliability(session: InferenceSession) -> pd.DataFrame:
    """Return the probability that each measurement can be trusted, NaN where there is none."""
    network = session.network
    if not network.reliability.has_heads:
        msg = (
            "Reliability is judged beside the gate of HZAU-VAE, which this model does not have. "
            "Take HZAUVAE with pool='gate'."
        )
        raise ConfigError(msg)
    if not network.reliability.is_calibrated:
        lack = (
            "validation cells to calibrate it with: train with train_size < 1"
            if network.reliability.heads_are_trained
            else "failed measurements: train with plan_kwargs={'corruption': 0.1} (the default)"
        )
        msg = f"Reliability cannot be judged. This model has seen no {lack}."
        raise ConfigError(msg)
    values = np.full((len(session), len(network.modalities)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            log_odds = network.reliability.log_odds(gather_evidence(network, batch))
            values[rows] = torch.sigmoid(log_odds).cpu().numpy()
    return pd.DataFrame(values, index=session.obs_names, columns=list(network.modalities))


def agreement(session: InferenceSession, *, kind: str) -> pd.DataFrame:
    """Return how little each pair of modalities agrees, or how rare that is; NaN where absent."""
    check_choice("kind", kind, AGREEMENT_KINDS)
    network = session.network
    names = network.modalities
    pairs = pairs_of(len(names))
    if not pairs:
        msg = f"Agreement needs two modalities. This model has {names[0]} only."
        raise ConfigError(msg)
    values, p_values = np.full((2, len(session), len(pairs)), np.nan, np.float32)
    with evaluating(network):
        for rows, batch in session.minibatches():
            found = pair_agreement(network, batch)
            values[rows] = found.cpu().numpy()
            p = network.reliability.agreement_p_value(found, batch.batch)
            p_values[rows] = p.cpu().numpy()
    columns = [f"{names[a]}|{names[b]}" for a, b in pairs]
    both = [session.store.present[session.cells][:, pair].all(-1).any() for pair in pairs]
    if any(both) and np.isnan(values).all():
        msg = (
            f"Agreement compares posteriors of one modality each. This model infers from "
            f"{', '.join(network.family.names)} only. Take a system with an expert for each "
            "modality, such as HZAUVAE or MVAE."
        )
        raise ConfigError(msg)
    if kind == "score":
        return pd.DataFrame(-values, index=session.obs_names, columns=columns)
    if not network.reliability.agreement.is_fitted.any():
        msg = (
            "p-values compare with validation cells that have both modalities, at least 25. This "
            "model has none. Train with train_size < 1, or take kind='score'."
        )
        raise ConfigError(msg)
    return pd.DataFrame(p_values, index=session.obs_names, columns=columns)
