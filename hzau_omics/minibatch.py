"""The one value that passes from the data layer to the network."""

from dataclasses import dataclass, field

from torch import Tensor, device


@dataclass
class Minibatch:
    """Dense, row-aligned tensors of a set of cells.

    Values of a modality that a cell lacks, and of features that its batch did not measure, are 0 in
    `x`; `present` and `feature_mask`, never the values, say what was measured.

    Attributes
    ----------
    x
        Modality name -> float32 tensor (cell, feature), in registered feature order.
    present
        Boolean tensor (cell, modality): which modalities the cell has, in registered order.
    batch
        Long tensor (cell): index of the cell's batch; all 0 without a batch key.
    categorical
        Long tensor (cell, categorical covariate).
    continuous
        Float32 tensor (cell, continuous covariate), standardised.
    feature_mask
        Modality name -> boolean tensor (cell, feature), True where the cell's batch measured the
        feature. Only modalities with a feature panel have an entry.
    rows
        Long tensor (cell): row of the cell in the MuData.
    """

    x: dict[str, Tensor]
    present: Tensor
    batch: Tensor
    categorical: Tensor
    continuous: Tensor
    feature_mask: dict[str, Tensor] = field(default_factory=dict)
    rows: Tensor | None = None

    def __len__(self) -> int:
        """Return the number of cells."""
        return int(self.present.shape[0])

    def to(self, target: device | str) -> "Minibatch":
        """Return the same minibatch on another device."""
        return Minibatch(
            x={name: value.to(target) for name, value in self.x.items()},
            present=self.present.to(target),
            batch=self.batch.to(target),
            categorical=self.categorical.to(target),
            continuous=self.continuous.to(target),
            feature_mask={name: mask.to(target) for name, mask in self.feature_mask.items()},
            rows=None if self.rows is None else self.rows.to(target),
        )
