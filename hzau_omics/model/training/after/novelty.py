"""How far calibration cells are from the reference."""

from torch import Tensor

from hzau_omics.model.answers.comparison import Comparison, Group


def learned(comparison: Comparison, group: Group) -> Tensor:
    """Return the distances of calibration cells inferred from one set of modalities, ascending."""
    return comparison.distance(group).sort().values.float().cpu()
