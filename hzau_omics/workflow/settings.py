"""The configuration of a run: its sections, and all that can be checked before data are read."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from hzau_omics.checks import LARGEST_SEED_OF_SKLEARN, check_seed
from hzau_omics.errors import ConfigError
from hzau_omics.messages import did_you_mean, listed
from hzau_omics.workflow.config_file import read_file
from hzau_omics.workflow.inputs import UNLINKED
from hzau_omics.workflow.modality import Modality, parse_modalities, specs_of
from hzau_omics.workflow.results import ResultOptions
from hzau_omics.workflow.schema import (
    Option,
    Options,
    check_options,
    constructor_options,
    options_of,
)

SEED = 0
"""Seed of a run where the configuration gives none: running it again gives the same results."""

MODALITIES, PROGRESS = "modalities", "enable_progress_bar"
_SAMPLES = Option(
    "samples",
    Mapping[str, str | list[str] | Mapping[str, str]] | None,
    None,
    "Mapping from the name of a sample to its file or files; paths are relative to the "
    "configuration. Needs sample_key.",
)
_UNLINKED = Option(
    UNLINKED,
    bool,
    default=False,
    description="Whether to train on modalities that no cell links, whose cells cannot be "
    "compared. Cells are matched by name.",
)
_PROGRESS = Option(
    PROGRESS, bool | None, None, "Whether to show progress; null shows it on a terminal."
)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """A checked configuration.

    Attributes
    ----------
    input
        Samples, and arguments of `hzau_omics.data.read`.
    modalities
        Name -> modality.
    setup, model, train
        Arguments of `setup_mudata`, of the model, and of `train`.
    results
        What is written besides the model.
    """

    input: Mapping[str, Any]
    modalities: Mapping[str, Modality]
    setup: Mapping[str, Any]
    model: Mapping[str, Any]
    train: Mapping[str, Any]
    results: ResultOptions

    @property
    def seed(self) -> int:
        """Seed of whatever is random after training."""
        return int(self.train["seed"] or 0)


def sections() -> dict[str, Options]:
    """Return the options of every section but `modalities`, from the signatures themselves."""
    from hzau_omics.data import read
    from hzau_omics.model import HZAUVAE

    # These three belong to the run itself, which writes checkpoints and goes on from them.
    train = options_of(HZAUVAE.train, without=("callbacks", "checkpoint_dir", "resume_from"))
    train["seed"] = replace(train["seed"], default=SEED)
    train[PROGRESS] = _PROGRESS
    return {
        "input": {
            **options_of(read, without=("inputs",)),
            "samples": _SAMPLES,
            UNLINKED: _UNLINKED,
        },
        "setup": options_of(HZAUVAE.setup_mudata, without=("mdata", MODALITIES)),
        "model": constructor_options(HZAUVAE, without=("mdata", "registry")),
        "train": train,
        "results": options_of(ResultOptions),
    }


def settings_of(config: Mapping[str, Any] | str | Path) -> Settings:
    """Check a configuration, a mapping or a YAML file, before anything else is read.

    Raises
    ------
    ConfigError
        A section or an option is unknown, or a value is not allowed.
    """
    given = dict(config) if isinstance(config, Mapping) else read_file(Path(config))
    known = sections()
    names = [*known, MODALITIES]
    for name in given:
        if name not in names:
            msg = (
                f"The configuration has no section {name!r}.{did_you_mean(name, names)} "
                f"Sections: {', '.join(names)}."
            )
            raise ConfigError(msg)
    parts = {name: check_options(name, given.get(name), known[name]) for name in known}
    parts["train"].setdefault("seed", SEED)
    if parts["train"].get(PROGRESS) is None:
        parts["train"][PROGRESS] = sys.stderr.isatty()
    modalities = parse_modalities(given.get(MODALITIES))
    results = ResultOptions(**parts.pop("results"))
    settings = Settings(modalities=modalities, results=results, **parts)
    _check_values(settings, {name: one.default for name, one in known["train"].items()})
    if not isinstance(config, Mapping):
        settings = _placed(settings, Path(config).parent)
    return settings


def _check_values(settings: Settings, defaults: Mapping[str, Any]) -> None:
    """Let the classes that know the ranges of the options check them."""
    from hzau_omics.data.stores.splits import check_shares
    from hzau_omics.model import HZAUVAE
    from hzau_omics.model.options import NetworkOptions
    from hzau_omics.model.training.config import TrainingPlanConfig
    from hzau_omics.model.training.run import RunConfig

    specs_of(settings.modalities, settings.setup.get("layers"))
    sizes = {one.name for one in fields(NetworkOptions)}
    NetworkOptions(**{name: value for name, value in settings.model.items() if name in sizes})
    train = {**defaults, **settings.train}
    if train["seed"] is not None:
        check_seed("train.seed", train["seed"], most=LARGEST_SEED_OF_SKLEARN)
    check_shares(train["train_size"], train["validation_size"], train["calibration_size"])
    TrainingPlanConfig.of({**HZAUVAE.recipe.training, **(train["plan_kwargs"] or {})})
    names = {one.name for one in fields(RunConfig)}
    run = {name: value for name, value in train.items() if name in names}
    if run["max_epochs"] is None:
        # The default depends on the number of cells.
        run["max_epochs"] = 1
    RunConfig(**run)
    _check_results(settings)


def _check_results(settings: Settings) -> None:
    """Refuse results of modalities that are not listed, and unknown arguments of comparisons."""
    results = settings.results
    for option, names in (("impute", results.impute), ("h5ad", results.h5ad)):
        for name in names:
            _check_listed(f"results.{option}", name, settings)
    if not results.de:
        return
    from hzau_omics.model import HZAUVAE
    from hzau_omics.model.answers.differential.pseudobulk import check_installed
    from hzau_omics.model.answers.differential.request import TestOptions, check_comparable

    known = options_of(HZAUVAE.differential_expression, without=("mdata",))
    tested = {one.name for one in fields(TestOptions)}
    for i, one in enumerate(results.de):
        check_options(f"results.de[{i}]", one, known)
        name = one["modality"]
        _check_listed(f"results.de[{i}].modality", name, settings)
        if one.get("sample_key") is not None:
            check_installed()
        check_comparable(name, settings.modalities[name].spec)
        TestOptions(**{option: value for option, value in one.items() if option in tested})


def _check_listed(where: str, name: str, settings: Settings) -> None:
    if name not in settings.modalities:
        msg = (
            f"{where} names {name!r}, which modalities does not list. Listed: "
            f"{listed(settings.modalities, limit=20)}.{did_you_mean(name, settings.modalities)}"
        )
        raise ConfigError(msg)


def _placed(settings: Settings, folder: Path) -> Settings:
    """Return the settings with the paths of a file, which are relative to its folder."""

    def place(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: place(one) for name, one in value.items()}
        if isinstance(value, list | tuple):
            return [place(one) for one in value]
        return str(folder / value)

    inputs = {
        name: place(value) if name in {"samples", "tables"} and value is not None else value
        for name, value in settings.input.items()
    }
    return replace(settings, input=inputs)
