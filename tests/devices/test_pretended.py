"""The pretended device refuses what a GPU refuses, sees what waits for it, and leaves no trace."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.devices.machine import pretended_device
from tests.devices.pretended import DEVICE, PretendedTensor

MIXED = {
    "pointwise": lambda near, far: near + far,
    "product": lambda near, far: near @ far,
    "joined": lambda near, far: torch.cat([near, far]),
    "selected": lambda near, far: near.index_select(0, torch.tensor([0])),
    "scattered": lambda near, far: near.index_add(0, torch.tensor([0]), near[:1]),
    "rows_of_far": lambda near, far: far[near.argmax(0)],
    "in_place": lambda near, far: far.add_(near),
    "number_from_far_in_place": lambda near, far: far.sum().add_(near.sum()),
    "layer": lambda near, far: nn.Linear(3, 2)(near),
}
WAITS = {
    "item": lambda x: x.sum().item(),
    "truth": lambda x: bool((x > 0).any()),
    "list": lambda x: x.tolist(),
    "copy_to_cpu": lambda x: x.cpu(),
    "copy_to_device": lambda x: torch.ones(3).to(x.device),
    "made_from_list": lambda x: torch.tensor([1.0, 2.0], device=x.device),
    "nonzero": lambda x: x.nonzero(),
    "mask": lambda x: x[x > 0],
    "list_of_rows": lambda x: x[[0, 1]],
    "mask_from_cpu": lambda x: x[:, torch.tensor([True, False, True])],
    "repeat": lambda x: torch.arange(3, device=x.device).repeat_interleave(
        torch.ones(3, dtype=torch.long).to(x.device, non_blocking=True)
    ),
    "unique": lambda x: x.unique(),
    "equal": lambda x: x.equal(x),
}
WAITS_NOT = {
    "number": lambda x: x * 2 + torch.tensor(3.0),
    "filled": lambda x: x.clone().fill_(2.0),
    "item_set": lambda x: x.clone().__setitem__((0, 1), 5.0),
    "masked_set": lambda x: x.clone().__setitem__(x > 0, 0.0),
    "where": lambda x: torch.where(x > 0, x, 0.0),
    "rows": lambda x: x[x.argmax(0)],
    "copy_ahead": lambda x: torch.ones(3).to(x.device, non_blocking=True),
    "one_hot": lambda x: nn.functional.one_hot(x.argmax(0), 3),
    "noise": lambda x: torch.randn_like(x) + torch.rand(3, device=x.device),
    "gradient": lambda x: nn.Linear(3, 2, device=x.device)(x).sum().backward(),
}


@pytest.fixture
def near(device):
    return torch.tensor([[1.0, -2.0, 3.0], [0.5, 0.0, 2.0], [1.0, 1.0, 1.0]]).to("cuda")


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("case", MIXED)
def test_tensors_of_both_devices_are_refused(near, case, inference):
    with (
        torch.inference_mode(inference),
        pytest.raises(RuntimeError, match=r"same device: aten\.\w+\.\w+ got cuda:0 and cpu"),
    ):
        MIXED[case](near, torch.ones(3, 3))


@pytest.mark.parametrize("inference", [False, True])
@pytest.mark.parametrize("case", WAITS)
def test_what_waits_is_refused_on_request(device, near, case, inference):
    device.waits.clear()
    with torch.inference_mode(inference):
        WAITS[case](near)
        assert device.waits
        with device.no_waiting(), pytest.raises(RuntimeError, match="This waits for cuda:0"):
            WAITS[case](near)


@pytest.mark.parametrize("case", WAITS_NOT)
def test_what_does_not_wait_is_not_refused(device, near, case):
    with device.no_waiting():
        WAITS_NOT[case](near)


def test_results_are_those_of_the_cpu(near):
    far = near.cpu()
    layer = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.SiLU())
    expected = torch.autograd.grad(layer(far).square().sum(), list(layer.parameters()))
    layer.to("cuda")
    assert all(p.device == DEVICE and p.is_cuda for p in layer.parameters())
    layer(near).square().sum().backward()
    for p, gradient in zip(layer.parameters(), expected, strict=True):
        torch.testing.assert_close(p.grad.cpu(), gradient)
    assert near[[2, 0]].tolist() == far[[2, 0]].tolist()
    assert near[np.array([1])].tolist() == far[[1]].tolist()
    near[0] = 7.0
    near[:, 1].add_(1.0)
    assert near[:2, :2].tolist() == [[7.0, 8.0], [0.5, 1.0]]


def test_an_optimiser_changes_weights_in_place(device):
    weight = nn.Parameter(torch.ones(3, device="cuda"))
    optimizer = torch.optim.AdamW([weight], lr=0.1, fused=True)
    (weight * weight).sum().backward()
    with device.no_waiting():
        optimizer.step()
    assert (weight < 0.95).all().item()


def test_arrays_are_refused(near):
    for take in (lambda x: x.numpy(), np.asarray):
        with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
            take(near)


def test_generators_belong_to_a_device(near):
    of_device, of_cpu = torch.Generator("cuda").manual_seed(1), torch.Generator().manual_seed(1)
    drawn = torch.rand(3, generator=of_device, device="cuda")
    assert drawn.tolist() == torch.rand(3, generator=of_cpu).tolist()
    with pytest.raises(RuntimeError, match="was given a generator of cuda:0"):
        torch.rand(3, generator=of_device)
    with pytest.raises(RuntimeError, match="was given a generator of cpu"):
        torch.rand(3, generator=of_cpu, device="cuda")


def test_a_wait_names_its_line(device):
    from hzau_omics.minibatch import SparseEntries

    SparseEntries.of(torch.ones(2, 2, device="cuda"))
    assert any(wait.startswith("nonzero in minibatch.py:") for wait in device.waits)


def test_nothing_stays_replaced():
    names = ("is_available", "device_count", "mem_get_info", "get_rng_state", "_lazy_init")
    before = [getattr(torch.cuda, name) for name in names]
    others = torch.Generator, torch.tensor, torch.Tensor.pin_memory
    with pretended_device() as device:
        kept = torch.ones(2, device="cuda")
        assert torch.cuda.is_available()
        kept.sum().item()
        assert device.waits
    assert [getattr(torch.cuda, name) for name in names] == before
    assert (torch.Generator, torch.tensor, torch.Tensor.pin_memory) == others
    assert isinstance(kept, PretendedTensor)
    with pytest.raises(RuntimeError, match="no longer pretended"):
        kept + 1
    weight = nn.Parameter(torch.ones(2))
    (weight * 3).sum().backward()
    assert weight.grad.tolist() == [3.0, 3.0]
