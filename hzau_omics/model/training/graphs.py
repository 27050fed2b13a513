"""Recorded steps: on a GPU, a step is recorded once as a CUDA graph, and then replayed.

A step is some thousand small operations. Starting them one by one takes the CPU longer than the GPU
needs to compute them; a graph starts them all at once.
"""

import logging
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

EAGER = 3
"""Calls that run as usual before one is recorded: libraries and optimiser set themselves up."""


def can_record(device: torch.device) -> bool:
    """Whether steps on a device can be recorded."""
    return device.type == "cuda"


class RecordedSteps:
    """Run a function of cell positions, recorded per kind of step and number of cells.

    The function must do the same operations on tensors of the same shapes in every call, and keep
    what it computes in tensors that exist already. The first calls run as they are, and count as
    any other. If a step cannot be recorded, all further ones run as they are, with one message.

    Parameters
    ----------
    device
        Device; without CUDA nothing is recorded.
    before_recording
        Called before a step is recorded, to drop tensors that must be part of the recording.
    """

    def __init__(
        self, device: torch.device, before_recording: Callable[[], None] = lambda: None
    ) -> None:
        self._records = can_record(device)
        self._before = before_recording
        self._calls: dict[Hashable, int] = {}
        self._graphs: dict[Hashable, tuple[torch.cuda.CUDAGraph, Tensor]] = {}
        self._stream = torch.cuda.Stream(device) if self._records else None  # type: ignore[no-untyped-call]

    def __call__(self, kind: str, positions: Tensor, step: Callable[[Tensor], None]) -> None:
        """Run a step."""
        key = kind, len(positions)
        if key not in self._graphs and self._is_due(key):
            self._record(key, positions, step)
        if key in self._graphs:
            graph, static = self._graphs[key]
            static.copy_(positions)
            graph.replay()
        elif self._records:
            self._on_stream(lambda: step(positions))
        else:
            step(positions)

    def _is_due(self, key: Hashable) -> bool:
        self._calls[key] = self._calls.get(key, 0) + 1
        return self._records and self._calls[key] > EAGER

    def _on_stream(self, run: Callable[[], None]) -> None:
        """Run beside the current stream, as a recording needs it, and wait for the result."""
        stream = self._stream
        assert stream is not None
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            run()
        torch.cuda.current_stream().wait_stream(stream)

    def _record(self, key: Hashable, positions: Tensor, step: Callable[[Tensor], None]) -> None:
        graph, static = torch.cuda.CUDAGraph(), positions.clone()
        self._before()
        try:
            with torch.cuda.graph(graph, stream=self._stream):
                step(static)
        except RuntimeError as error:
            self._records = False
            self._graphs.clear()
            self._before()
            logger.warning("Steps are not recorded as CUDA graphs, and are slower: %s", error)
        else:
            self._graphs[key] = graph, static
