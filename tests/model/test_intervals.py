"""The search for the factor at which intervals have their stated coverage."""

import pytest
import torch
from hypothesis import given, strategies as st

from hzau_omics.model.training.after.intervals import MOST, _Remembered, find_root


@given(st.floats(-4, 4), st.floats(0.05, 20))
def test_the_root_of_a_rising_line_is_found_in_few_evaluations(root, slope):
    asked = []

    def excess(x):
        asked.append(x)
        return slope * (x - root)

    assert find_root(excess) == pytest.approx(root, abs=1e-6)
    assert len(asked) <= 8
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("sign", [-1, 1])
def test_without_a_root_the_search_ends_far_out(sign):
    found = find_root(lambda x: -sign * (1 + sign * 0.01 * abs(x)) + 0.001 * x)
    assert found * sign > 0
    assert abs(found) > MOST / 2


def test_a_root_at_the_start_is_kept():
    assert find_root(lambda x: x) == pytest.approx(0.0, abs=1e-9)
    assert find_root(lambda x: max(x - 0.5, 0.0) + min(x, 0.0)) == pytest.approx(0.0, abs=0.51)


def test_products_of_the_same_input_are_computed_once():
    calls = []

    class Layer(torch.nn.Linear):
        def forward(self, x):
            calls.append(x)
            return super().forward(x)

    layer = Layer(3, 2)
    remembered = _Remembered(layer)
    inputs = [torch.randn(4, 3) for _ in range(3)] + [torch.randn(1, 3)]
    for _ in range(2):
        for x in inputs:
            assert remembered(x).equal(torch.nn.functional.linear(x, layer.weight, layer.bias))
    assert len(calls) == 4
