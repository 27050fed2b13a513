"""Questions in words in the benchmark: who gets which text, and its short setting."""

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from mudata import MuData

from benchmarks.text import __main__ as text
from benchmarks.text.data import DescribedCells
from benchmarks.text.figures import draw_queries
from benchmarks.text.generation import log_normalised, marker_agreement
from benchmarks.text.run import TextRun
from benchmarks.text.tables import queries_table, types_table
from benchmarks.text.wordings import PARAPHRASES
from benchmarks.text.wrong import own_type

WORDINGS = {"B": ["B cell", "B lymphocyte"], "T": ["T cell"], "NK": ["natural killer cell"]}


def make_task(n=300):
    rng = np.random.default_rng(0)
    label = rng.choice(["B", "T", "NK", ""], n)
    cells = [f"c{i}" for i in range(n)]
    mdata = MuData({"rna": AnnData(np.ones((n, 2)), obs=pd.DataFrame(index=cells))})
    mdata.obs["label"] = label
    return DescribedCells(train=mdata, test=mdata, trained=WORDINGS, asked={}, held_out=[["NK"]])


def types_of(texts):
    return np.array(
        [next((k for k, of in WORDINGS.items() if t in of), "") if t else "" for t in texts]
    )


def test_texts_are_those_of_the_type_and_of_a_share_of_the_cells():
    task = make_task()
    texts, wrong = task.texts(share=0.5, shuffled=False)
    label = task.train.obs["label"].to_numpy()
    has = np.array([t is not None for t in texts])
    assert not wrong.any()
    assert not has[label == ""].any()
    assert 0.4 < has[label != ""].mean() < 0.6
    np.testing.assert_array_equal(types_of(texts)[has], label[has])
    assert set(texts[has & (label == "B")]) == set(WORDINGS["B"])


def test_held_out_types_are_never_described_not_even_wrongly():
    task = make_task()
    texts, wrong = task.texts(share=1.0, without=["NK"], wrong=0.5, shuffled=False)
    assert "NK" not in set(types_of(texts))
    assert wrong.any()
    assert (types_of(texts)[wrong] != task.train.obs["label"].to_numpy()[wrong]).all()


def test_shuffled_texts_are_the_same_texts_of_others():
    task = make_task()
    plain, _ = task.texts(share=1.0, shuffled=False)
    dealt, _ = task.texts(share=1.0, shuffled=True)
    assert sorted(t for t in plain if t) == sorted(t for t in dealt if t)
    agree = (types_of(plain) == types_of(dealt))[task.train.obs["label"] != ""].mean()
    assert agree < 0.6


def test_no_paraphrase_is_used_for_two_types_of_a_data_set():
    for types in PARAPHRASES.values():
        every = [text for of in types.values() for text in (*of.names, *of.functions)]
        assert len(every) == len(set(every))


def test_figures_of_generated_cells_have_known_values():
    rng = np.random.default_rng(0)
    truth = np.repeat(["B", "T"], 40)
    real = rng.random((80, 30)) + 3 * (truth == "T")[:, None] * (np.arange(30) < 15)
    found = marker_agreement(real, truth, real, truth)
    assert found == {"marker_pearson": pytest.approx(1.0), "markers_shared": 1.0}
    opposite = marker_agreement(real, truth[::-1], real, truth)
    assert opposite["marker_pearson"] == pytest.approx(-1.0)
    assert own_type(real, truth, np.ones(80, dtype=bool)) == 1.0
    np.testing.assert_allclose(np.expm1(log_normalised(np.ones((2, 4)))).sum(1), 1e4, rtol=1e-5)


def result(run, aurocs, **more):
    rows = [
        {"method": "HZAUVAE", "kind": kind, "type": label, "query": label, "auroc": auroc}
        | {"held_out": label == "NK" and run.round >= 0}
        | {f"{name}@{k}": 1.0 for name in ("hit", "precision") for k in (1, 5, 10)}
        for kind, label, auroc in aurocs
    ]
    return {**vars(run), "queries": rows, **more}


def test_types_count_alike_and_rounds_only_for_what_they_hold_out(tmp_path):
    every = TextRun(dataset="pbmc10k", encoder="terms")
    zero = TextRun(dataset="pbmc10k", encoder="terms", round=0)
    results = [
        result(every, [("seen", "B", 1.0), ("seen", "B", 0.8), ("seen", "T", 0.5)]),
        result(zero, [("seen", "NK", 0.7), ("seen", "B", 0.0)]),
    ]
    table = queries_table(results)
    assert table.set_index("held_out")["auroc"].to_dict() == {
        False: pytest.approx(0.7), True: pytest.approx(0.7)
    }  # fmt: skip
    assert table.set_index("held_out")["worst_auroc"].to_dict() == {False: 0.5, True: 0.7}
    table.loc[:, "variant"] = ""
    assert draw_queries(table, tmp_path / "q.png")[0].stat().st_size > 1000
    assert types_table(results).shape[0] == 3


@pytest.mark.slow
def test_short_setting_writes_its_tables(tmp_path, monkeypatch, data_file):
    data_file("citeseq_bmmc_neurips2021_starter.h5mu")
    monkeypatch.chdir(tmp_path)
    code = text.main(
        ["--dataset", "bmmc", "--quick", "--encoder", "words", "--out", str(tmp_path / "out")]
    )
    assert code == 0
    assert len(list((tmp_path / "out").glob("text_bmmc_*.csv"))) >= 4
