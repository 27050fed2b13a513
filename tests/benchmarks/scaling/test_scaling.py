import pandas as pd
import pytest

from benchmarks.scaling import __main__ as scaling
from benchmarks.scaling.run import expert_families, names


def test_families_grow_and_hold_every_single_modality():
    families = list(expert_families(5))
    assert [len(f) for f in families] == [6, 16, 26]
    for family in families:
        assert len(set(family)) == len(family)
        assert {(m,) for m in names(5)} <= set(family)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_command_writes_a_table_and_a_picture(tmp_path, capsys):
    words = ["--quick", "--epochs", "1", "--out", str(tmp_path)]
    assert scaling.main(words) == 0
    (path,) = tmp_path.glob("scaling_*.csv")
    table = pd.read_csv(path)
    assert set(table["axis"]) == {"cells", "features", "modalities", "experts"}
    assert (table["cells_per_s"] > 0).all()
    assert len(list(tmp_path.glob("scaling_*.png"))) == 1
    assert "cells_per_s" in capsys.readouterr().out
