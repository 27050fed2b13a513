import torch
from torch.testing import assert_close

from hzau_omics.nn.layers import HiddenLayer, HiddenStack


def test_covariates_enter_by_their_own_linear_map():
    torch.manual_seed(0)
    layer = HiddenLayer(4, 2, 5, dropout=0.0)
    x, covariates = torch.randn(3, 4), torch.randn(3, 2)
    joined = torch.cat([x, covariates], dim=-1)
    weight = torch.cat([layer.features.weight.T, layer.covariates.weight], dim=-1)
    expected = layer.finish(joined @ weight.T + layer.features.bias)
    assert_close(layer(x, covariates), expected)


def test_no_covariates_no_parameters_for_them():
    layer = HiddenLayer(4, 0, 5, dropout=0.0)
    assert layer.covariates is None
    assert layer(torch.randn(3, 4), torch.zeros(3, 0)).isfinite().all()


def test_every_layer_of_a_stack_sees_the_covariates():
    torch.manual_seed(0)
    stack = HiddenStack(4, 2, 5, n_layers=3, dropout=0.0)
    x, covariates = torch.randn(3, 4), torch.randn(3, 2)
    assert len(stack.layers) == 3
    stack(x, covariates).sum().backward()
    for layer in stack.layers:
        assert layer.covariates.weight.grad.abs().sum() > 0


def test_a_stack_without_layers_is_the_identity():
    x = torch.randn(3, 4)
    assert torch.equal(HiddenStack(4, 2, 5, n_layers=0, dropout=0.0)(x, torch.randn(3, 2)), x)


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    stack = HiddenStack(4, 0, 50, n_layers=1, dropout=0.5)
    x, nothing = torch.randn(3, 4), torch.zeros(3, 0)
    dropped = (stack(x, nothing) == 0).float().mean()
    assert 0.3 < dropped < 0.7
    stack.eval()
    assert torch.equal(stack(x, nothing), stack(x, nothing))
    assert (stack(x, nothing) != 0).all()


def test_a_cell_does_not_depend_on_the_others():
    torch.manual_seed(0)
    stack = HiddenStack(4, 1, 5, n_layers=2, dropout=0.3).eval()
    x, covariates = torch.randn(6, 4), torch.randn(6, 1)
    assert_close(stack(x, covariates)[2:3], stack(x[2:3], covariates[2:3]))
