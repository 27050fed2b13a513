"""A device that is lost in the middle of training: what was trained until then is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import override

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor, nn

from hzau_omics.model.training.callbacks import BestWeights, averaged_weights

SIGNS = ("CUDA error", "device-side assert", "cuDNN error", "CUBLAS_STATUS")
"""What messages about a device that no longer answers contain."""


def is_lost_device(error: BaseException) -> bool:
    """Whether an error means that a device no longer answers, or one that led to it."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, RuntimeError) and any(sign in str(seen) for sign in SIGNS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False


@contextmanager
def own_random_state() -> Iterator[None]:
    """Restore torch's random state afterwards, on devices that still answer."""
    fork = torch.random.fork_rng()
    fork.__enter__()
    try:
        yield
    finally:
        try:
            fork.__exit__(None, None, None)
        except RuntimeError as error:
            if not is_lost_device(error):
                raise


class HostCopy(Callback):
    """Keep weights in main memory, where a GPU's end is no loss.

    They are those of the best epoch so far, if there is one, and else the averaged ones of the last
    epoch.

    Parameters
    ----------
    best
        Keeps the best weights; None where nothing does.
    """

    def __init__(self, best: BestWeights | None = None) -> None:
        self.epochs = 0
        self._best = best
        self._tensors: dict[str, Tensor] = {}

    @override
    def on_fit_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Constants of the network, which its state dict leaves out, too.
        network = pl_module.network
        assert isinstance(network, nn.Module)
        self._tensors = {name: value.detach().cpu() for name, value in network.named_buffers()}

    @override
    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.epochs = trainer.current_epoch + 1
        best = self._best.weights if self._best is not None else {}
        self._tensors |= best or averaged_weights(pl_module)

    def revive(self, network: nn.Module) -> None:
        """Put the network on the CPU, with the weights that were kept."""
        for name, module in network.named_modules():
            prefix = f"{name}." if name else ""
            for own, parameter in module.named_parameters(recurse=False):
                value = nn.Parameter(self._tensors[prefix + own], parameter.requires_grad)
                setattr(module, own, value)
            for own, _ in module.named_buffers(recurse=False):
                setattr(module, own, self._tensors[prefix + own])
