"""A machine with a pretended GPU: what torch, Lightning and the package are told about it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, override

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from hzau_omics.model.training import graphs
from hzau_omics.nn.kernels.precision import has_bfloat16
from tests.devices.pretended import DEVICE, HOST, PretendedDevice, on_device

GIB = 1024**3
_Generator, _tensor_on_host = torch.Generator, torch.tensor  # before they are replaced


class PretendedGenerator(torch.Generator):
    """A generator of random numbers that says it is on the device."""

    def __new__(cls, device: torch.device | str = HOST) -> Any:
        """Make one for the device that is named."""
        return super().__new__(cls if on_device(device) else _Generator)

    def __init__(self, device: torch.device | str = HOST) -> None:
        pass

    device = property(lambda _: DEVICE)  # type: ignore[assignment]


class _Generators(TorchFunctionMode):
    """Refuse generators of the other device; further down, torch no longer tells them apart."""

    @override
    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        generator = kwargs.get("generator")
        if generator is not None and isinstance(out, Tensor) and generator.device != out.device:
            msg = f"{func} on {out.device} was given a generator of {generator.device}"
            raise RuntimeError(msg)
        return out


def _tensor(data: Any, *, device: Any = None, **options: Any) -> Tensor:
    """Stand in for :func:`torch.tensor`, which copies past the pretended device."""
    made = _tensor_on_host(data, **options)
    return made if device is None else made.to(device)


def _patches() -> dict[Any, dict[str, Any]]:
    """Return what the package, torch and Lightning ask about a GPU, and what they are told."""
    nothing: Callable[..., None] = lambda *_, **__: None
    return {
        torch: {"Generator": PretendedGenerator, "tensor": _tensor},
        # There is nothing to record on.
        graphs: {"can_record": lambda _: False},
        Tensor: {"pin_memory": lambda x, *_: x.clone()},
        torch.cuda: {
            "_lazy_init": nothing,
            "current_device": lambda: 0,
            "device_count": lambda: 1,
            "empty_cache": nothing,
            "get_device_capability": lambda *_: (8, 0),
            "get_device_name": lambda *_: "pretended",
            "get_rng_state": lambda *_: torch.get_rng_state(),
            "is_available": lambda: True,
            "is_bf16_supported": lambda *_, **__: True,
            "manual_seed_all": nothing,
            "mem_get_info": lambda *_: (8 * GIB, 8 * GIB),
            "set_device": nothing,
            "set_rng_state": nothing,
        },
    }


@contextmanager
def pretended_device() -> Iterator[PretendedDevice]:
    """Pretend that this machine has a GPU."""
    # torch asks a driver for the index of "cuda". This answers instead; it cannot be undone.
    torch._C._ensureCUDADeviceGuardSet()
    with pytest.MonkeyPatch.context() as patch:
        for owner, answers in _patches().items():
            for name, answer in answers.items():
                patch.setattr(owner, name, answer)
        has_bfloat16.cache_clear()
        try:
            with _Generators(), PretendedDevice() as device:
                yield device
        finally:
            has_bfloat16.cache_clear()
