"""Gate weights on an embedding."""

import numpy as np
import pandas as pd

from hzau_omics import pl


def test_gate_umap_has_one_scale_and_greys_absent_modalities() -> None:
    weights = pd.DataFrame({"rna": [0.2, 1.0, 0.0], "adt": [0.8, 0.0, 1.0]})
    panels = pl.gate_umap(np.eye(3)[:, :2], weights)
    assert [ax.get_title() for ax in panels] == ["weight of rna", "weight of adt"]
    for ax, expected in zip(panels, ([0.2, 1.0], [0.8, 1.0]), strict=True):
        grey, coloured = ax.collections[:2]
        assert len(grey.get_offsets()) == 1
        assert sorted(coloured.get_array()) == expected
        assert coloured.get_clim() == (0.0, 1.0)
