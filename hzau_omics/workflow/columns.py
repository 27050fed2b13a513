"""Columns of ``obs`` that results need or replace: checked before training, not after it."""

from typing import TYPE_CHECKING, Any

from hzau_omics.checks import as_list
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.workflow.clusters import CLUSTERS

if TYPE_CHECKING:
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
    from hzau_omics.model.answers.differential.groups import groups_of_column

    # These columns are there only after training.
    made = HZAUVAE.ANNOTATIONS | ({CLUSTERS} if settings.results.cluster else set())
    for i, one in enumerate(settings.results.de):
        keys: dict[str, Any] = {name: one.get(name) for name in ("groupby", "sample_key")}
        found = {name: key for name, key in keys.items() if key is not None and key not in made}
        try:
            columns = {name: obs_column(mdata, key, role=name) for name, key in found.items()}
            if "groupby" in columns:
                groups = one.get("group1"), one.get("group2")
                groups_of_column(columns["groupby"], *groups, key=found["groupby"])
        except (ConfigError, DataContractError) as error:
            msg = f"results.de[{i}]: {error}"
            raise type(error)(msg) from error
