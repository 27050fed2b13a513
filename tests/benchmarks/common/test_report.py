import json
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from benchmarks.common.report import environment, markdown, run_name, write_run


def test_name_is_safe_and_carries_the_time():
    when = datetime(2026, 1, 31, 23, 59, 59, tzinfo=UTC)
    name = run_name("imputation", "my file_v2", "rna-to-prot", "split0", when=when)
    assert name == "imputation_my-file-v2_rna-to-prot_split0_20260131T235959Z"


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
