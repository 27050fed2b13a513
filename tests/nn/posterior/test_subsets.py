import pytest
import torch
from hypothesis import given, settings, strategies as st

from hzau_omics.errors import ConfigError
from hzau_omics.nn.posterior.subsets import SubsetFamily, available_experts


@pytest.mark.parametrize(("n", "n_experts"), [(1, 1), (2, 3), (3, 7), (4, 15), (5, 16), (6, 22)])
def test_default_family(n, n_experts):
    names = [f"m{i}" for i in range(n)]
    family = SubsetFamily.default(names)
    assert len(family) == n_experts
    assert len(set(family.subsets)) == n_experts
    assert all((name,) in family.subsets for name in names)
    assert tuple(names) in family.subsets
    if n > 4:
        assert {len(subset) for subset in family.subsets} == {1, 2, n}


def test_names_follow_the_registered_order():
    family = SubsetFamily.of(["rna", "adt", "text"], ["rna", ["adt"], ["text"], ["text", "rna"]])
    assert family.names == ("rna", "adt", "text", "rna+text")


def test_membership_says_which_modalities_an_expert_sees():
    membership = SubsetFamily.default(["a", "b"]).membership()
    assert membership.tolist() == [[True, False], [False, True], [True, True]]


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 5), st.integers(0, 31))
def test_an_expert_is_available_iff_all_its_modalities_are(n, bits):
    names = tuple(f"m{i}" for i in range(n))
    present = torch.tensor([[bool(bits >> i & 1) for i in range(n)]])
    family = SubsetFamily.default(names)
    has = {name for name, p in zip(names, present[0].tolist(), strict=True) if p}
    expected = [set(subset) <= has for subset in family.subsets]
    assert available_experts(family.membership(), present)[0].tolist() == expected
    assert any(expected) == bool(has)


@pytest.mark.parametrize(
    ("subsets", "match"),
    [
        ([["a"], ["b"], []], r"non-empty subset of the modalities \['a', 'b'\].*Received \[\]"),
        ([["a"], ["b"], ["a", "c"]], r"Received \['a', 'c'\]"),
        ([["a"], ["b"], ["a", "b"], ["b", "a"]], "one expert only"),
        ([["a"], ["a", "b"]], r"Every modality needs its own expert.*\[\('b',\)\]"),
    ],
)
def test_errors_of_a_chosen_family(subsets, match):
    with pytest.raises(ConfigError, match=match):
        SubsetFamily.of(["a", "b"], subsets)


def test_modality_names_that_give_two_experts_one_name_are_refused():
    with pytest.raises(ConfigError, match=r"joined by '\+'.*rename"):
        SubsetFamily.default(["a", "b", "a+b"])
