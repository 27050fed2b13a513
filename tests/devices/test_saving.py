"""Models on a pretended device are saved as those on the CPU, and loaded onto it."""

import torch

from hzau_omics.model import HZAUVAE
from tests.devices.machine import pretended_device
from tests.devices.pretended import PretendedTensor


def test_a_model_is_saved_from_the_device_and_loaded_onto_it(fitted, tmp_path):
    model = fitted("mosaic").model
    with pretended_device():
        model.to_device("cuda:0")
        model.save(tmp_path / "model")
        again = HZAUVAE.load(tmp_path / "model", model.adata)
        assert again.device.type == "cuda"
        for name, value in model.module.state_dict().items():
            assert isinstance(again.module.state_dict()[name], PretendedTensor), name
            assert again.module.state_dict()[name].equal(value), name
        here = HZAUVAE.load(tmp_path / "model", False, accelerator="cpu")
        expected = again.get_latent_representation()
    assert here.device.type == "cpu"
    found = here.get_latent_representation(model.adata)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
