import math

import pandas as pd
import pytest

from benchmarks.speed.figures import picture
from benchmarks.speed.tables import default_table, seconds_to_peer, summary


def figures(method, rate, *, size=128, seed=0, points=((1, 30.0), (2, 19.0), (3, 10.0))):
    curve = [{"step": s, "seconds": s, "rna": 90.0, "prot": nll} for s, nll in points]
    return {
        "method": method,
        "batch_size": size,
        "seed": seed,
        "n_cells": 50,
        "cells_per_s": rate,
        "peak_memory_gb": 1.0,
        "held_out_nll": {"rna": 90.0, "prot": points[-1][1]},
        "curve": curve,
    }


def test_the_summary_takes_medians_and_compares_at_the_same_batch_size():
    runs = [
        *(figures("hzau-vae", r, seed=i) for i, r in enumerate((400.0, 900.0, 600.0))),
        *(figures("totalvi", r, seed=i) for i, r in enumerate((100.0, 200.0, 250.0))),
        figures("hzau-vae", 900.0, size=512),
        figures("totalvi", 300.0, size=512),
    ]
    table = summary(runs)
    assert table["method"].tolist() == ["hzau-vae", "totalvi"] * 2
    ours = table[table["method"] == "hzau-vae"].set_index("batch_size")
    assert ours["cells_per_s"].to_dict() == {128: 600.0, 512: 900.0}
    assert ours.loc[128, ["cells_per_s_lowest", "cells_per_s_highest"]].tolist() == [400, 900]
    assert ours["repeats"].to_dict() == {128: 3, 512: 1}
    assert ours["times_peer"].to_dict() == {128: 3.0, 512: 3.0}
    assert ours["nll_prot"].tolist() == [10, 10]
    assert table["n_cells"].dtype == int
    assert (table.loc[table["method"] == "totalvi", ["times_peer", "times_sooner"]] == 1).all(None)


def test_time_to_the_peer_s_likelihood_is_read_off_the_curve():
    ours = figures("hzau-vae", 400.0)
    # The peer first came to its final value after 4 seconds, not after 6.
    peer = figures("totalvi", 200.0, points=((2, 40.0), (4, 20.0), (5, 21.0), (6, 20.0)))
    runs = [
        figures("totalvi", 200.0, size=512, points=((1, 50.0),)),
        figures("totalvi", 200.0, seed=1, points=((1, 50.0),)),
        ours,
        peer,
    ]
    assert seconds_to_peer(ours, runs) == 2
    assert seconds_to_peer(peer, runs) == 4
    better = figures("totalvi", 200.0, points=((1, 5.0),))
    assert seconds_to_peer(ours, [better]) == math.inf
    assert math.isnan(seconds_to_peer(ours, [ours]))
    table = summary([ours, peer]).set_index("method")
    assert table["times_sooner"].to_dict() == {"hzau-vae": 2.0, "totalvi": 1.0}


def test_a_likelihood_that_half_the_repeats_reach_counts_as_never():
    seconds = [(1, 5.0), (1, 5.0), (1, 50.0), (1, 50.0)]
    runs = [figures("hzau-vae", 1.0, seed=i, points=(p,)) for i, p in enumerate(seconds)]
    runs += [figures("totalvi", 1.0, seed=i, points=((9, 20.0),)) for i in range(4)]
    row = summary(runs).set_index("method").loc["hzau-vae"]
    assert row["seconds_to_peer_nll"] == math.inf
    assert row["seconds_to_peer_nll_lowest"] == 1
    assert row["times_sooner"] == 0


def test_a_default_run_has_a_row():
    run = {"method": "totalvi", "seed": 0, "epochs": 3, "held_out_nll": {"rna": 1.0, "prot": 2.0}}
    expected = {"method": "totalvi", "epochs": 3, "nll_rna": 1.0, "nll_prot": 2.0}
    assert default_table([run]).iloc[0].to_dict() == expected


@pytest.mark.parametrize("sizes", [(128,), (128, 512)])
def test_the_picture_takes_one_batch_size_or_several(tmp_path, sizes):
    runs = [figures(m, 1.0, size=s) for s in sizes for m in ("hzau-vae", "totalvi")]
    path = picture(summary(runs), runs, tmp_path / "new" / "speed.png")
    assert path.stat().st_size > 1_000
    assert isinstance(summary(runs), pd.DataFrame)
