"""Table 1 in a short setting: every system is trained and evaluated, and a run resumes."""

import numpy as np
import pytest

from benchmarks import table1
from benchmarks._table1_paper import printed

RESULT = {
    "dataset": "binarymnist",
    "system": "MVAE",
    "epochs": 3,
    "marginal_variance": 20.0,
    "marginal_bound": -90.0,
}


def test_the_table_stands_beside_the_paper_s():
    results = [RESULT, RESULT | {"marginal_variance": 24.0}, RESULT | {"system": "HZAUVAE"}]
    table = table1.table_of(results).set_index("system")
    assert table.loc["MVAE", "variance"] == 22
    assert table.loc["MVAE", "paper"] == 22.181
    assert table.loc["MVAE", "seeds"] == 2
    assert np.isnan(table.loc["HZAUVAE", "paper"])
    assert set(table["target"]) == {"marginal"}


def test_the_paper_s_values_are_where_they_belong():
    assert printed("conditional", "fashionmnist", "CVAE") == 12.748
    assert printed("joint", "mnist", "MVAEQ") == 38.190
    assert np.isnan(printed("joint", "mnist", "VAE"))


@pytest.mark.filterwarnings("ignore")
def test_every_system_fills_its_rows_and_a_run_resumes(data_file, tmp_path, capsys, monkeypatch):
    data_file("mnist_full.npz")
    words = ["--dataset", "binarymnist", "--quick", "--parts", str(tmp_path / "parts")]
    assert table1.main([*words, "--out", str(tmp_path / "out")]) == 0
    text = capsys.readouterr().out
    found = {
        tuple(cell.strip() for cell in line.split("|")[1:4])
        for line in text.splitlines()
        if "| binarymnist |" in line
    }
    several = {"JMVAE", "MVAEQ", "MVAE", "HZAUVAE", "HZAUVAE-uniform", "HZAUVAE-global", "BiVCCA"}
    expected = {(t, "binarymnist", s) for t in table1.TARGETS for s in several}
    expected |= {("marginal", "binarymnist", "VAE"), ("conditional", "binarymnist", "CVAE")}
    assert found == expected
    monkeypatch.setattr(table1, "run", None)
    assert table1.main([*words, "--out", str(tmp_path / "out")]) == 0
