import pytest
import torch
from torch.testing import assert_close

from hzau_omics.nn.posterior.expert import SubsetExperts
from hzau_omics.nn.posterior.fusion import add_information
from hzau_omics.nn.posterior.gaussian import LOGVAR_RANGE, DiagonalGaussian, soft_bound
from hzau_omics.nn.posterior.subsets import SubsetFamily

WIDTHS = [4, 6, 5]


def make_experts(*, corrects: bool) -> SubsetExperts:
    torch.manual_seed(0)
    family = SubsetFamily.default(["a", "b", "c"])
    return SubsetExperts(family, WIDTHS, 2, dropout=0.0, corrects=corrects)


@pytest.fixture(params=[False, True], ids=["by themselves", "corrects"])
def experts(request) -> SubsetExperts:
    found = make_experts(corrects=request.param)
    for head in found.heads:
        # As after some steps: corrections start at zero.
        torch.nn.init.normal_(head.weight, std=0.3)
    return found


def hidden_features(n_cells: int = 3) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randn(n_cells, width, generator=generator) for width in WIDTHS]


def test_an_expert_depends_on_its_own_modalities_only(experts):
    for s, member in enumerate(experts.members):
        hidden = [h.requires_grad_() for h in hidden_features()]
        found = experts(hidden)
        (found.mean[:, s].sum() + found.logvar[:, s].sum()).backward()
        for i, h in enumerate(hidden):
            seen = h.grad is not None and bool((h.grad != 0).any())
            assert seen == (i in member)


def test_experts_come_in_the_order_of_the_family(experts):
    family = SubsetFamily.default(["a", "b", "c"])
    assert [tuple("abc"[i] for i in member) for member in experts.members] == list(family.subsets)
    found = experts(hidden_features())
    alone = experts.heads[1](hidden_features()[1])
    assert_close(found.mean[:, 1], alone[:, :2])
    assert_close(found.logvar[:, 1], soft_bound(alone[:, 2:], *LOGVAR_RANGE))


def test_experts_of_several_modalities_start_from_the_evidence_of_the_single_ones():
    experts = make_experts(corrects=True)
    found = experts(hidden_features())
    alone = DiagonalGaussian(*(part[:, :3] for part in found))
    several = torch.tensor([[i in member for i in range(3)] for member in experts.members[3:]])
    seen = add_information(alone, several)
    assert len(experts.members) == 7
    assert_close(found.mean[:, 3:], seen.mean)
    assert_close(found.logvar[:, 3:], soft_bound(seen.logvar, *LOGVAR_RANGE))


def test_a_cell_does_not_depend_on_the_others(experts):
    hidden = hidden_features()
    alone = experts([h[2:] for h in hidden])
    assert_close(experts(hidden).mean[2:], alone.mean)
    assert_close(experts(hidden).logvar[2:], alone.logvar)


def test_log_variance_is_bounded_for_any_hidden_features(experts):
    torch.manual_seed(0)
    found = experts([1e6 * torch.randn(50, n) for n in WIDTHS])
    assert found.logvar.min() >= LOGVAR_RANGE[0]
    assert found.logvar.max() <= LOGVAR_RANGE[1]
    assert found.logvar.max() - found.logvar.min() > 10


def test_posteriors_are_float32_under_autocast(experts):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = experts(hidden_features())
    assert found.mean.dtype == found.logvar.dtype == torch.float32
