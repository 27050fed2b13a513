"""What is kept when a GPU stops to answer."""

import pytest
import torch

from hzau_omics.model import HZAUVAE
from hzau_omics.model.training.lost_device import HostCopy, is_lost_device, own_random_state
from hzau_omics.model.training.plan import TrainingPlan


def test_a_network_whose_device_was_lost_is_revived(mdata, quick):
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"})
    model, copies, seen = HZAUVAE(mdata, n_latent=3, n_hidden=8), HostCopy(), {}

    class Look(HostCopy):
        """What the network would be without a loss."""

        def on_train_epoch_end(self, trainer, pl_module):
            assert isinstance(pl_module, TrainingPlan)
            with pl_module.averaged() as network:
                seen.update({name: v.clone() for name, v in network.state_dict().items()})

    model.train(**quick, callbacks=[copies, Look()])
    network = model.module
    constants = {name: value.clone() for name, value in network.named_buffers()}
    network.to_empty(device="meta")
    copies.revive(network)
    assert {p.device.type for p in network.parameters()} == {"cpu"}
    assert copies.epochs == quick["max_epochs"]
    found = network.state_dict()
    assert set(found) == set(seen)
    for name, value in seen.items():
        assert torch.equal(found[name], value)
    # Constants that are not saved come back, too.
    assert set(constants) - set(found)
    for name, value in network.named_buffers():
        if name not in seen:
            assert torch.equal(value, constants[name])


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("CUDA error: device-side assert triggered"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (KeyError("CUDA error"), False),
    ],
)
def test_errors_of_devices_are_told_from_others(error, lost):
    assert is_lost_device(error) is lost
    later = ValueError("in the tear-down")
    later.__context__ = error
    assert is_lost_device(later) is lost


def test_the_random_state_comes_back():
    before = torch.random.get_rng_state()
    with own_random_state():
        torch.rand(3)
    assert torch.equal(torch.random.get_rng_state(), before)
