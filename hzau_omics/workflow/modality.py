"""The section ``modalities``: what a shell or a file can say of a modality."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

from hzau_omics.checks import check_integer, if_given, refusal
from hzau_omics.data import LIKELIHOODS, ModalitySpec, resolve_specs
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import did_you_mean, listed
from hzau_omics.workflow.schema import Option, Options, check_options, options_of

if TYPE_CHECKING:
    from mudata import MuData

_MORE = (
    Option(
        "n_top",
        int | None,
        None,
        "Keep this many features: the most variable ones, or the peaks that are open most often; "
        "null keeps all.",
    ),
    Option(
        "mark_unmeasured",
        bool,
        default=False,
        description="Whether features that are 0 in all cells of a batch, though that is "
        "improbable, were not measured there.",
    ),
    Option(
        "column",
        str | None,
        None,
        "Column of obs, or of a table, with texts that become the modality.",
    ),
)

INPUT_FEATURES = "hzau_n_features"
"""Key of ``uns``: modality -> number of its features before some were chosen."""


@dataclass(frozen=True)
class Modality:
    """One entry of the section.

    Attributes
    ----------
    spec
        How the modality is read and modelled.
    n_top
        Number of features to keep; None for all.
    mark_unmeasured
        Whether features that are silent in a batch become unmeasured there.
    column
        Column of texts that becomes the modality; None for a modality that the input holds.
    text
        Arguments of `add_text_modality`.
    """

    spec: ModalitySpec
    n_top: int | None = None
    mark_unmeasured: bool = False
    column: str | None = None
    text: Mapping[str, Any] = field(default_factory=dict)


def text_options() -> Options:
    """Return the options of a modality that is made from texts."""
    from hzau_omics.pp import add_text_modality

    return options_of(add_text_modality, without=("mdata", "column", "name"))


def spec_options() -> Options:
    """Return the options of any modality."""
    return {**options_of(ModalitySpec), **{one.name: one for one in _MORE}}


def parse_modalities(section: object) -> dict[str, Modality]:
    """Return the modalities of a configuration.

    Parameters
    ----------
    section
        Mapping from the name of a modality to a likelihood, or to the fields of a
        :class:`~hzau_omics.data.ModalitySpec`; ``n_top`` keeps some of its features, and
        ``column`` makes it from a column of texts, with the arguments of
        :func:`~hzau_omics.pp.add_text_modality`.

    Raises
    ------
    ConfigError
        An option is unknown, or does not fit the likelihood.

    Examples
    --------
    >>> found = parse_modalities({"rna": "nb", "note": {"likelihood": "bernoulli", "column": "n"}})
    >>> found["rna"].spec.likelihood, found["note"].column
    ('nb', 'n')
    """
    if not isinstance(section, Mapping) or not section:
        remedy = "For example modalities: {rna: nb, adt: nb}."
        raise refusal(section, "modalities", "a mapping from names to likelihoods", remedy)
    return {str(name): _parse_one(str(name), value) for name, value in section.items()}


def options_of_text(text: str) -> dict[str, Any]:
    """Return the options in an argument such as ``bernoulli:binarize=true,n_hidden=64``.

    Raises
    ------
    ConfigError
        A part is not of the form ``name=value``.

    Examples
    --------
    >>> options_of_text("bernoulli:binarize=true,n_hidden=64")
    {'likelihood': 'bernoulli', 'binarize': True, 'n_hidden': 64}
    """
    likelihood, _, rest = text.partition(":")
    options: dict[str, Any] = {"likelihood": likelihood}
    for part in rest.split(",") if rest else ():
        name, separator, value = part.partition("=")
        if not (separator and name and value):
            msg = (
                "Options of a modality follow its likelihood, as in "
                f"bernoulli:binarize=true,n_hidden=64. Received {part!r} in {text!r}."
            )
            raise ConfigError(msg)
        options[name] = yaml.safe_load(value)
    return options


def specs_of(
    modalities: Mapping[str, Modality], layers: Mapping[str, str | None] | None = None
) -> dict[str, ModalitySpec]:
    """Return the specifications, with the layers that are given apart from them.

    Raises
    ------
    ConfigError
        A layer is given for a modality that is not listed, or twice.
    """
    return resolve_specs({name: one.spec for name, one in modalities.items()}, layers)


def prepare(
    mdata: "MuData", modalities: Mapping[str, Modality], setup: Mapping[str, Any]
) -> "MuData":
    """Return the cells with the modalities and features that are asked for.

    Parameters
    ----------
    mdata
        Cells as they were read; modalities of texts are added to them.
    modalities
        What is asked for.
    setup
        Arguments of `setup_mudata`: features are chosen within batches, from the layers.

    Raises
    ------
    ConfigError
        A modality has fewer features than are to be kept.
    DataContractError
        There is no such modality or column, or values are not counts.
    """
    from hzau_omics import pp

    for name, one in modalities.items():
        if one.column is None and name not in mdata.mod:
            msg = (
                f"modalities names {name!r}, which the input does not hold. It holds "
                f"{listed(mdata.mod, limit=20)}.{did_you_mean(name, mdata.mod)}"
            )
            raise DataContractError(msg)
        if one.column is not None:
            pp.add_text_modality(mdata, one.column, name=name, **one.text)
    specs = specs_of(modalities, setup.get("layers"))
    batch_key = setup.get("batch_key")
    for name, one in modalities.items():
        if one.mark_unmeasured:
            _mark_unmeasured(mdata, name, specs[name].layer, setup)
        if one.n_top is not None:
            layer, n_before = specs[name].layer, mdata.mod[name].n_vars
            mdata = pp.select_features(
                mdata, name, n_top=one.n_top, batch_key=batch_key, layer=layer
            )
            mdata.uns[INPUT_FEATURES] = {**mdata.uns.get(INPUT_FEATURES, {}), name: n_before}
    return mdata


def _mark_unmeasured(
    mdata: "MuData", name: str, layer: str | None, setup: Mapping[str, Any]
) -> None:
    from hzau_omics import pp

    lacking = [key for key in ("batch_key", "panel_key") if setup.get(key) is None]
    if lacking:
        msg = (
            f"modalities.{name}.mark_unmeasured says what each batch measured, so that setup needs "
            f"a batch_key and a panel_key. Received no {' and no '.join(lacking)}. For example "
            "setup: {batch_key: batch, panel_key: measured}."
        )
        raise ConfigError(msg)
    pp.mark_unmeasured(mdata, name, setup["batch_key"], panel_key=setup["panel_key"], layer=layer)


def only_specs(modalities: Mapping[str, Modality]) -> dict[str, ModalitySpec]:
    """Return the specifications where features and modalities are taken as they are.

    Raises
    ------
    ConfigError
        Features or texts are asked for.
    """
    for name, one in modalities.items():
        if one.n_top is not None or one.column is not None:
            msg = (
                "A store holds modalities as they are. Received n_top or column for "
                f"{name!r}: prepare the file with `hzau-omics run`, or leave them out."
            )
            raise ConfigError(msg)
    return specs_of(modalities)


def _parse_one(name: str, value: object) -> Modality:
    where = f"modalities.{name}"
    if isinstance(value, str):
        value = {"likelihood": value}
    if isinstance(value, ModalitySpec):
        return Modality(value)
    if not isinstance(value, Mapping):
        rule = f"a likelihood ({', '.join(LIKELIHOODS)}) or a mapping"
        raise refusal(value, where, rule, "For example rna: nb.")
    of_spec, of_text = spec_options(), text_options()
    known = {**of_spec, **of_text} if value.get("column") is not None else of_spec
    options = check_options(where, value, known)
    column = options.pop("column", None)
    n_top = if_given(check_integer, f"{where}.n_top", options.pop("n_top", None))
    mark_unmeasured = bool(options.pop("mark_unmeasured", False))
    try:
        spec = ModalitySpec(**{key: one for key, one in options.items() if key in of_spec})
    except ConfigError as error:
        msg = f"{where}: {error}"
        raise ConfigError(msg) from None
    text = {key: one for key, one in options.items() if key not in of_spec}
    return Modality(spec, n_top, mark_unmeasured, column, text)
