"""How training went, and what was done."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

import pandas as pd

from hzau_omics import pl
from hzau_omics._info import info
from hzau_omics.data import ModalitySpec
from hzau_omics.errors import ConfigError
from hzau_omics.report.content import Section
from hzau_omics.report.pictures import drawn
from hzau_omics.report.selection import selected
from hzau_omics.report.subject import Subject

_FLAT, _RISE, _FEWEST = 0.02, 0.01, 5
_PANELS = 24
"""More than there are quantities: one panel per modality, and some for all of them."""
_PACKAGES = ("hzau_omics", "python", "torch", "scvi-tools", "mudata", "anndata", "scanpy", "numpy")


def training(subject: Subject) -> Section:
    """Draw the curves of training, and say what they show.

    Raises
    ------
    ConfigError
        The model keeps no curves.
    """
    model = subject.model
    if not model.history:
        msg = "The model keeps no curves of its training."
        raise ConfigError(msg)
    text = [f"Trained for {model.n_epochs_trained_} epochs, on {_split(subject)}."]
    stopped = False
    curves = {name: pd.DataFrame(one).iloc[:, 0].dropna() for name, one in model.history.items()}
    validation = curves.get("elbo_validation")
    if validation is not None and len(validation):
        best = model.best_epoch_
        stopped = stopped_early(validation, best=best, patience=subject.patience)
        text.append(words(curves["elbo_train"], validation, best=best, stopped=stopped))
    if "elbo_train" in curves and (rise := rising(curves["elbo_train"])):
        text.append(rise)
    short = "" if stopped else shortness(model.n_epochs_trained_, subject.usual_epochs)
    return Section(
        text=[*text, short] if short else text,
        pictures=[
            drawn(
                pl.training(model.history, max_panels=_PANELS),
                "Training and validation curves over epochs",
            )
        ],
        finding=short,
    )


def _split(subject: Subject) -> str:
    model = subject.model
    parts = {
        "training": model.train_indices_,
        "validation": model.validation_indices_,
        "calibration": model.calibration_indices_,
        "test": model.test_indices_,
    }
    sizes = {name: len(cells) for name, cells in parts.items() if cells is not None and len(cells)}
    if not sizes:
        return "other cells than these"
    return ", ".join(f"{n:,} {name}" for name, n in sizes.items()) + " cells"


def rising(train: pd.Series) -> str:
    """Explain a training curve that rises at first, "" elsewhere.

    Parameters
    ----------
    train
        Negative ELBO by epoch, in nats per cell.

    Examples
    --------
    >>> rising(pd.Series([9.0, 8.0, 7.0]))
    ''
    """
    if len(train) < 2 or train.iloc[1:].max() <= train.iloc[0]:
        return ""
    return (
        "The training curve of the negative ELBO is higher in some later epoch than in the first. "
        "Early in training the weights of the KL term and of mixing grow, and some values are "
        "corrupted or dropped on purpose, so that this curve may rise while the model improves: "
        "judge by the validation curve."
    )


def stopped_early(validation: pd.Series, best: int, patience: int) -> bool:
    """Return whether the last epochs brought no improvement, as many as end a training.

    Parameters
    ----------
    validation
        Negative ELBO by epoch.
    best
        Epoch whose weights were kept; below 0 for the last one.
    patience
        Epochs without improvement after which training stops.
    """
    return best >= 0 and int(validation.index[-1]) - best >= patience


def shortness(n_epochs: int, usual: int) -> str:
    """Return a sentence about a training that was shorter than the default, "" about others.

    Examples
    --------
    >>> shortness(10, 125)
    'Training was short: 10 epochs, and 125 are the default for as many cells.'
    """
    if n_epochs >= usual:
        return ""
    epochs = "1 epoch" if n_epochs == 1 else f"{n_epochs} epochs"
    return f"Training was short: {epochs}, and {usual} are the default for as many cells."


def words(train: pd.Series, validation: pd.Series, best: int, *, stopped: bool = False) -> str:
    """Say whether training had converged, and whether the model overfits.

    Parameters
    ----------
    train, validation
        Negative ELBO by epoch, in nats per cell.
    best
        Epoch whose weights were kept; below 0 for the last one.
    stopped
        Whether training ended since it no longer improved.
    """
    last = validation.index[-1]
    late = max(len(validation) // 5, 2)
    if stopped:
        text = f"The last {last - best} epochs brought no improvement: training had converged."
    elif len(validation) < _FEWEST:
        text = f"{len(validation)} epochs are too few to judge whether training had converged."
    else:
        fall = max(validation.iloc[0] - validation.min(), 1e-12)
        gain = (validation.iloc[:-late].min() - validation.iloc[-late:].min()) / fall
        if gain > _FLAT:
            text = (
                f"The validation curve still fell at the end: {100 * gain:.0f} % of its fall is in "
                f"the last {late} epochs. More epochs may help (model.train again trains on)."
            )
        else:
            # The schedule follows the number of epochs, and flattens the end of any run.
            text = (
                f"The validation curve was flat in the last {late} epochs. The learning rate falls "
                "to the end of any run, so a longer one may still be better."
            )
    rise = (validation.iloc[-1] - validation.min()) / max(abs(validation.min()), 1e-12)
    if rise > _RISE and train.iloc[-1] <= train.loc[: validation.idxmin()].iloc[-1]:
        text += (
            f" It rose by {100 * rise:.1f} % after its lowest point while the training curve fell: "
            "the last epochs overfit."
        )
    if 0 <= best < last:
        text += f" The weights are those of epoch {best}, with the lowest validation loss."
    return text


def made(subject: Subject) -> dict[str, str]:
    """Return what was done, by name: code, or a few words."""
    model = subject.model
    name = type(model).__name__
    when = datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")
    weights = getattr(model, "modality_weights_", None)
    found = {
        **_selected(subject),
        "set-up": f"{name}.setup_mudata(mdata, {_setup(model.registry_['setup_args'])})",
        "model": f"{name}(mdata, {_arguments(model.init_params_)})",
        "training": f"{model.n_epochs_trained_} epochs, {_split(subject)}",
        **_calls(getattr(model, "training_options_", ())),
        "model version": f"{model.model_version_}",
        "report": f"seed {subject.seed}, {len(subject.cells):,} cells drawn, on {when}",
    }
    if weights:
        found["weights of modalities"] = ", ".join(f"{k} {v:.3g}" for k, v in weights.items())
    return found


def _selected(subject: Subject) -> dict[str, str]:
    """Return which features were selected before set-up, as far as it is known."""
    counts = selected(subject.layout, subject.selections)
    if not counts:
        return {}
    which = ", ".join(f"{n:,} of {name}" for name, n in counts.items())
    return {"features selected": f"{which}; of how many is not recorded"}


def _calls(trainings: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return each call of `train`, with its defaults; models of earlier versions keep none."""
    found = {}
    for i, options in enumerate(trainings, start=1):
        name = "call of train" if len(trainings) == 1 else f"call {i} of train"
        given = {key: value for key, value in options.items() if value is not None}
        found[name] = f"model.train({_arguments(given)})"
    return found


def _setup(arguments: Mapping[str, Any]) -> str:
    specs = ", ".join(f"{n!r}: {_spec(one)}" for n, one in arguments["modalities"].items())
    rest = {k: v for k, v in arguments.items() if k != "modalities" and v}
    return ", ".join([f"{{{specs}}}", *([_arguments(rest)] if rest else [])])


def _spec(options: Mapping[str, Any]) -> str:
    default = {one.name: one.default for one in fields(ModalitySpec)}
    other = {k: v for k, v in options.items() if k != "likelihood" and v != default[k]}
    if not other:
        return repr(options["likelihood"])
    return f"ModalitySpec({_arguments({'likelihood': options['likelihood'], **other})})"


def _arguments(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{k}={v!r}" for k, v in options.items())


def versions() -> dict[str, str]:
    """Return the versions of the programs that a result depends on."""
    found = info()
    return {name: str(found[name]) for name in _PACKAGES if name in found}
