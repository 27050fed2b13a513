"""A pretended GPU for machines without one: tensors that say they are on ``cuda:0``.

Each holds an ordinary tensor, with which everything is computed on the CPU, so that results are
real. What a GPU refuses is refused: operations on tensors of both devices, arrays from tensors that
are on the device. What a GPU makes the CPU wait for is recorded, and refused on request.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, override

import numpy as np
import torch
import torch._dynamo  # what torch imports when it first needs it must not see what is replaced here
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

import hzau_omics
from tests.devices.waits import INDEXING, waits_of

HOST, DEVICE = torch.device("cpu"), torch.device("cuda:0")
META = torch.device("meta")
PACKAGE = f"{Path(hzau_omics.__file__).parent}/"

TAKES_NUMBERS = {"_fused_adamw_", "copy_", "index_put", "index_put_", "where"}
"""Operations that take a tensor of no axes from the CPU, besides those on single elements."""


class PretendedTensor(Tensor):
    """A tensor that says it is on the device, and holds its values on the CPU."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> "PretendedTensor":
        if torch.is_inference_mode_enabled():
            # torch wants views of weights to be ordinary tensors there too.
            with torch.inference_mode(mode=False):
                return cls(held)
        # For C++ it is on "meta": code there that asks about streams of a GPU needs a real one.
        made = Tensor._make_wrapper_subclass(
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=META,
            requires_grad=False,
        )
        made.held = held
        return made

    device = property(lambda _: DEVICE)  # type: ignore[assignment]
    is_cuda = property(lambda _: True)  # type: ignore[assignment]
    is_meta = property(lambda _: False)  # type: ignore[assignment]
    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        msg = f"{func} on {DEVICE}, which is no longer pretended"
        raise RuntimeError(msg)

    @override
    def numpy(self, *, force: bool = False) -> NoReturn:
        msg = f"can't convert {DEVICE} device type tensor to numpy. Use Tensor.cpu() first"
        raise TypeError(msg)

    @override
    def __getitem__(self, index: Any) -> Tensor:
        return super().__getitem__(_lists_as_tensors(index))

    @override
    def __setitem__(self, index: Any, value: Any) -> None:
        super().__setitem__(_lists_as_tensors(index), value)

    @override
    def tolist(self) -> Any:
        return self.cpu().tolist()

    @override
    def __format__(self, spec: str) -> str:
        return format(self.cpu(), spec)

    @override
    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        return f"PretendedTensor({self.held!r})"


def _lists_as_tensors(index: Any) -> Any:
    """Return an index whose lists are on the CPU: on "meta", torch would drop what they say."""
    parts = index if isinstance(index, tuple) else (index,)
    return tuple(torch.tensor(x) if isinstance(x, list | np.ndarray) else x for x in parts)


class PretendedDevice(TorchDispatchMode):
    """Every operation of torch passes through here, until the device is no longer pretended.

    Attributes
    ----------
    waits
        What the CPU waited for: operation, and line of the package that called it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []
        self._refuses = False

    @contextmanager
    def no_waiting(self) -> Iterator[None]:
        """Refuse what waits for the device."""
        self._refuses = True
        try:
            yield
        finally:
            self._refuses = False

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        given = list(_leaves((*args, *kwargs.values())))
        near = any(isinstance(x, PretendedTensor) for x in given)
        if not near and not any(isinstance(x, torch.device) and on_device(x) for x in given):
            return func(*args, **kwargs)
        if _has_parts(func):
            # In inference mode, operations made of others come whole: take them apart.
            with self:
                return func.decompose(*args, **kwargs)
        for what in waits_of(func.overloadpacket.__name__, args, kwargs, _is_near):
            self.wait(what)
        if near:
            _check_same_device(func, args, given)
        asked = kwargs.get("device")
        return _compute(func, args, kwargs, target=near if asked is None else on_device(asked))

    @classmethod
    @override
    def _should_skip_dynamo(cls) -> bool:
        return False  # a wrapper that only compiled code needs, and that takes time

    def wait(self, what: str) -> None:
        """Record that the CPU waits for the device, or refuse it."""
        frame: Any = sys._getframe()
        while frame and not frame.f_code.co_filename.startswith(PACKAGE):
            frame = frame.f_back
        place = ""
        if frame:
            place = f" in {frame.f_code.co_filename.removeprefix(PACKAGE)}:{frame.f_lineno}"
        self.waits.append(f"{what}{place}")
        if self._refuses:
            msg = f"This waits for {DEVICE}: {self.waits[-1]}"
            raise RuntimeError(msg)


def _is_near(place: Any) -> bool:
    """Whether a tensor, or what is asked for as the device of a result, is on the device."""
    return isinstance(place, PretendedTensor) or (
        not isinstance(place, Tensor) and on_device(place)
    )


def on_device(device: Any) -> bool:
    # Code in C++ asks for more tensors where it believes the others to be: see PretendedTensor.
    return device is not None and torch.device(device).type in {"cuda", "meta"}


def _leaves(values: Any) -> Iterator[Any]:
    """Yield the arguments of an operation, and what lists among them hold."""
    for value in values:
        if isinstance(value, list | tuple):
            yield from _leaves(value)
        else:
            yield value


def _each(change: Callable[[Any], Any], value: Any) -> Any:
    """Change an argument or a result, or what a list of them holds."""
    if isinstance(value, list | tuple):
        return type(value)([_each(change, one) for one in value])
    return change(value)


@cache
def _has_parts(func: Any) -> bool:
    key = torch._C.DispatchKey.CompositeImplicitAutograd
    return bool(torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), key))


@cache
def _first_is_written(func: Any) -> bool:
    first = func._schema.arguments[0].alias_info
    return first is not None and first.is_write


def _check_same_device(func: Any, args: Any, given: list[Any]) -> None:
    """Refuse tensors of both devices, except where CUDA takes them."""
    far = [x for x in given if isinstance(x, Tensor) and not isinstance(x, PretendedTensor)]
    name = func.overloadpacket.__name__
    if not far or name in {"_to_copy", "copy_"}:
        return
    if name in INDEXING and isinstance(args[0], PretendedTensor):
        far = [x for x in far if not any(x is index for index in args[1])]
    takes_numbers = torch.Tag.pointwise in func.tags or name in TAKES_NUMBERS
    if takes_numbers and not (_first_is_written(func) and any(x is args[0] for x in far)):
        far = [x for x in far if x.dim()]
    if far:
        msg = f"Expected all tensors to be on the same device: {func} got {DEVICE} and {HOST}"
        raise RuntimeError(msg)


def _compute(func: Any, args: Any, kwargs: Any, *, target: bool) -> Any:
    """Compute with what the tensors hold, and let the result say that it is on the device."""
    known: dict[int, PretendedTensor] = {}

    def held(x: Any) -> Any:
        if not isinstance(x, PretendedTensor):
            return x
        known[id(x.held)] = x
        return x.held

    def pretended(x: Any) -> Any:
        # What was changed in place is the tensor that was given.
        if not isinstance(x, Tensor):
            return x
        return known[id(x)] if id(x) in known else PretendedTensor(x)

    held_kwargs = {name: _each(held, value) for name, value in kwargs.items()}
    if kwargs.get("device") is not None:
        held_kwargs |= {"device": HOST, "pin_memory": False}
    out = func(*_each(held, args), **held_kwargs)
    return _each(pretended, out) if target else out
