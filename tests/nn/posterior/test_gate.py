import torch
from torch.testing import assert_close

from hzau_omics.nn.posterior.gate import Gate


def make_gate(*, trained: bool) -> tuple[Gate, list[torch.Tensor], torch.Tensor]:
    torch.manual_seed(0)
    gate = Gate([4, 3], 3, n_gate=6)
    if trained:
        torch.nn.init.normal_(gate.logits.weight)
    return gate, [torch.randn(5, 4), torch.randn(5, 3)], torch.rand(5, 2) < 0.5


def test_a_new_gate_is_uniform_and_can_learn():
    gate, hidden, present = make_gate(trained=False)
    logits = gate(hidden, present)
    assert torch.equal(logits, torch.zeros(5, 3))
    logits.log_softmax(-1)[:, 0].sum().backward()
    assert gate.logits.weight.grad.abs().min() > 0


def test_hidden_features_of_absent_modalities_have_no_influence():
    gate, hidden, present = make_gate(trained=True)
    leaves = [h.requires_grad_() for h in hidden]
    logits = gate(leaves, present)
    logits.square().sum().backward()
    for i, leaf in enumerate(leaves):
        assert (leaf.grad[~present[:, i]] == 0).all()
        assert (leaf.grad[present[:, i]].abs().sum(-1) > 0).all()
    for junk in (1e6, torch.nan, torch.inf):
        dirty = [torch.where(present[:, i : i + 1], h.detach(), junk) for i, h in enumerate(leaves)]
        assert torch.equal(gate(dirty, present), logits)


def test_the_gate_reads_the_presence_mask():
    gate, hidden, _ = make_gate(trained=True)
    hidden = [torch.zeros_like(h) for h in hidden]
    both = gate(hidden, torch.ones(5, 2, dtype=torch.bool))
    one = gate(hidden, torch.tensor([[True, False]]).expand(5, 2))
    assert (both - one).abs().min() > 1e-4


def test_a_cell_does_not_depend_on_the_others():
    gate, hidden, present = make_gate(trained=True)
    alone = gate([h[1:2] for h in hidden], present[1:2])
    assert_close(gate(hidden, present)[1:2], alone)
