"""Columns of ``obs`` that results need or replace: checked before training, not after it."""

from typing import TYPE_CHECKING, Any

from hzau_omics.checks import as_list
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.workflow.clusters import CLUSTERS

if TYPE_CHECKING:
    import pandas as pd
    from mudata import MuData

    from hzau_omics.workflow.settings import Settings


def check_replaced(settings: "Settings") -> None:
    """Refuse a configuration that trains on the column that the clusters will replace.

    Raises
    ------
    ConfigError
        A key of the sections ``input`` or ``setup`` is the name of this column.
    """
    if not settings.results.cluster:
        return
    given = {"input": settings.input, "setup": settings.setup}
    for section, options in given.items():
        for name, value in options.items():
            if name.endswith(("_key", "_keys")) and CLUSTERS in as_list(value or ()):
                msg = (
                    f"A run writes its clusters to obs[{CLUSTERS!r}], so that no key can be there. "
                    f"Received {section}.{name}: {value}. Rename the column, or add cluster: false "
                    "to results."
                )
                raise ConfigError(msg)


def check_compared(mdata: "MuData", settings: "Settings") -> None:
    """Refuse comparisons of groups or samples that the cells do not have.

    Parameters
    ----------
    mdata
        Cells as they will be trained on.
    settings
        The configuration.

    Raises
    ------
    ConfigError
        A group is compared with itself.
    DataContractError
        There is no such column or group.
    """
    from hzau_omics.data.contract.columns.obs import obs_column
    from hzau_omics.model import HZAUVAE
    from hzau_omics.model.answers.differential.groups import groups_of_column, only_labels

    # These columns are there only after training.
    made = HZAUVAE.ANNOTATIONS | ({CLUSTERS} if settings.results.cluster else set())
    for i, one in enumerate(settings.results.de):
        keys: dict[str, Any] = {name: one.get(name) for name in ("groupby", "sample_key")}
        found = {name: key for name, key in keys.items() if key is not None and key not in made}
        try:
            columns = {name: obs_column(mdata, key, role=name) for name, key in found.items()}
            if "groupby" in columns:
                groups = one.get("group1"), one.get("group2")
                column = columns["groupby"]
                if found["groupby"] == settings.setup.get("labels_key"):
                    column = only_labels(column, _labels(column, settings), *groups)
                groups_of_column(column, *groups, key=found["groupby"])
        except (ConfigError, DataContractError) as error:
            msg = f"results.de[{i}]: {error}"
            raise type(error)(msg) from error


def _labels(column: "pd.Series[Any]", settings: "Settings") -> set[str]:
    """Return the values of a column that set-up will take for labels."""
    from hzau_omics.data.contract.columns.category import text_of

    none = {text_of(one) for one in as_list(settings.setup.get("unlabeled_category") or ())}
    return set(column.dropna().map(text_of)) - none
