import json
from dataclasses import asdict

import pandas as pd
import pytest

from benchmarks.scaling import __main__ as scaling
from benchmarks.scaling.run import ScalingRun, Size, expert_families, measure, names, sizes


def test_modalities_go_from_2_to_20_and_one_size_is_changed_at_a_time():
    found = list(sizes())
    values = {axis: [s.value for s in found if s.axis == axis] for axis in ("cells", "modalities")}
    assert values == {"cells": [2_000, 8_000, 32_000], "modalities": [2, 3, 5, 10, 20]}
    changed = {"cells": "n_obs", "features": "n_features", "modalities": "n_modalities"}
    for axis, field in changed.items():
        mine = [asdict(s) for s in found if s.axis == axis]
        assert [size.pop(field) for size in mine] == [size.pop("value") for size in mine]
        assert all(size == mine[0] for size in mine)


def test_families_grow_and_hold_every_single_modality():
    families = list(expert_families(5))
    assert [len(f) for f in families] == [6, 16, 26]
    for family in families:
        assert len(set(family)) == len(family)
        assert {(m,) for m in names(5)} <= set(family)


@pytest.mark.filterwarnings("ignore")
def test_an_axis_is_measured_as_its_process_gets_it(monkeypatch):
    experts = (("m0",), ("m1",), ("m0", "m1"))
    size = Size(axis="experts", value=3, n_obs=60, n_features=20, experts=experts)
    monkeypatch.setattr("benchmarks.scaling.run.sizes", lambda **_: [size])
    run = ScalingRun(axis="experts", epochs=2, batch_size=32)
    (found,) = measure(ScalingRun(**json.loads(json.dumps(asdict(run)))))["rows"]
    assert (found["cells"], found["modalities"], found["experts"]) == (60, 2, 3)
    assert found["cells_per_s"] == pytest.approx(120 / found["train_s"])


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
