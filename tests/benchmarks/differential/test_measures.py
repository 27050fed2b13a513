import numpy as np
import pandas as pd
import pytest

from benchmarks.differential import measures
from benchmarks.differential.hidden import against
from benchmarks.differential.seeds import changed


def table(q, lfc=0.0, width=0.1):
    lfc = np.broadcast_to(np.asarray(lfc, dtype=float), len(q))
    columns = {"score": -np.asarray(q), "q_value": q, "lfc_mean": lfc, "lfc": 2 * lfc}
    columns["lfc_error"] = width
    return pd.DataFrame({**columns, "low": lfc - width, "high": lfc + width})


def test_any_call_without_a_difference_is_counted():
    found = measures.of_null(table([0.2, 0.07, 0.04]))
    assert found == {"any call, 5 %": 1, "calls, 5 %": 1, "any call, 10 %": 1, "calls, 10 %": 2}
    assert measures.of_null(table([0.06]))["any call, 5 %"] == 0


def test_calls_are_compared_with_the_changes_that_were_made():
    change = np.array([1.0, -1.0, 0.5, 0.0, 0.0])
    mean = np.array([1.0, 1.0, 1.0, 1.0, 0.01])
    found = measures.of_truth(
        table([0.01, 0.02, 0.5, 0.03, 0.9], lfc=[1.05, -1.0, 0.45, 0.3, 9.0]), change, mean
    )
    assert found["false discoveries"] == pytest.approx(1 / 3)
    assert found["power"] == pytest.approx(2 / 3)
    assert found["coverage, changed"] == 1
    assert found["coverage, all"] == 0.75
    assert found["coverage, changed, of lfc"] == 0
    assert found["slope of lfc"] == pytest.approx(2 * found["slope of lfc_mean"])


def test_methods_without_intervals_have_no_coverage():
    found = table([0.01, 0.5, 0.4], width=np.nan)
    assert np.isnan(measures.coverage(found, np.zeros(3), np.ones(3, dtype=bool)))


def own(lfc, group="a", q=0.01):
    lfc = np.asarray(lfc)
    index = [f"p{i}" for i in range(len(lfc))]
    columns = {"p_value": q, "q_value": q, "lfc": lfc, "lfc_mean": lfc, "group1": group}
    found = pd.DataFrame({**columns, "comparison": group}, index=index)
    return found.assign(
        lfc_std=0.1,
        lfc_error=0.1,
        lfc_q05=lfc - 0.16,
        lfc_q95=lfc + 0.16,
        **{"is_de_fdr_0.05": lfc != 0},
    )


def test_tables_are_compared_feature_by_feature():
    reference = own([0.0, 1.0, 2.0, 3.0])
    found = against(own([0.0, 1.1, 2.0, 3.2])[::-1], reference, disjoint=True)
    assert found["coverage, all"] == 0.75
    assert found["coverage, with the reference's error"] == 1
    assert found["slope of lfc_mean"] == pytest.approx(1.05, abs=0.02)


def test_calls_that_another_seed_does_not_make_are_counted():
    first, second = own([1.0, 2.0, 3.0, 4.0]), own([1.0, 0.0, 3.0, 4.0])
    first["q_value"] = [0.04, 0.03, 0.01, 0.01]
    found = changed(first, second[::-1])
    assert found["lost calls"] == 0.25
    assert found["lost calls, q below half the target"] == 0
