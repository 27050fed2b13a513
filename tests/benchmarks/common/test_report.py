import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from benchmarks.common.report import environment, markdown, run_name, summarise, write_run


def test_name_is_safe_and_carries_the_time():
    when = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    name = run_name("imputation", "my file_v2", "rna-to-prot", "split0", when=when)
    assert name == "imputation_my-file-v2_rna-to-prot_split0_20260131T235959Z"


def test_summary_has_mean_and_sd_over_seeds_best_first():
    runs = pd.DataFrame(
        {
            "method": ["worse", "ours", "ours"],
            "seed": [0, 0, 1],
            "pearson": [0.7, 0.8, 0.9],
            "coverage90": [np.nan, 0.88, 0.92],
            "seconds": [1.0, 10.0, 20.0],
        }
    )
    table = summarise(runs)
    assert list(table["method"]) == ["ours", "worse"]
    assert list(table["Pearson"]) == ["0.8500 +- 0.0707", "0.7000"]
    assert abs(table.loc[0, "coverage90"] - 0.9) < 1e-12
    assert table.loc[0, "seconds"] == "15"


def test_markdown_rounds_and_marks_what_is_missing():
    table = pd.DataFrame({"method": ["a", "b"], "value": [0.12345, np.nan]})
    assert markdown(table).splitlines() == [
        "| method | value |",
        "| --- | --- |",
        "| a | 0.123 |",
        "| b | - |",
    ]


def test_files_hold_the_numbers_and_the_circumstances(tmp_path):
    record = environment(command=["python", "-m", "x"], threads=1)
    table = pd.DataFrame({"method": ["a"], "pearson": [0.5]})
    paths = write_run(tmp_path / "new", "run", {"": table, "features": table}, record)
    assert [p.name for p in paths] == ["run.csv", "run.features.csv", "run.json"]
    pd.testing.assert_frame_equal(pd.read_csv(paths[0]), table)
    written = json.loads(paths[2].read_text())
    assert written["command"] == "python -m x"
    assert written["threads"] == 1
    assert written["versions"]["numpy"] == np.__version__
