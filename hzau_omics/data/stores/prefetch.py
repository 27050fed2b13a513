"""Reading ahead in a thread, so that training steps do not wait for the disk."""

import queue
import threading
from collections.abc import Iterator

_END = object()


class _Failure:
    """An error of the reading thread, passed on to the consumer."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


def prefetched[T](items: Iterator[T], depth: int) -> Iterator[T]:
    """Yield the same items in the same order, with up to `depth` of them read ahead in a thread.

    An error in the thread is raised here, after the items before it. The thread ends when this
    generator is closed.

    Examples
    --------
    >>> list(prefetched(iter("abc"), depth=2))
    ['a', 'b', 'c']
    """
    ready: queue.Queue[object] = queue.Queue(maxsize=depth)
    stopped = threading.Event()

    def put(item: object) -> bool:
        while not stopped.is_set():
            try:
                ready.put(item, timeout=0.1)
            except queue.Full:
                continue
            return True
        return False

    def read() -> None:
        try:
            for item in items:
                if not put(item):
                    return
        except BaseException as error:  # noqa: BLE001 - raised again in the consumer
            put(_Failure(error))
        else:
            put(_END)

    thread = threading.Thread(target=read, name="hzau-omics-reader", daemon=True)
    thread.start()
    try:
        while (item := _next(ready, thread)) is not _END:
            if isinstance(item, _Failure):
                raise item.error
            yield item  # type: ignore[misc]
    finally:
        stopped.set()
        thread.join()


def _next(ready: "queue.Queue[object]", thread: threading.Thread) -> object:
    """Wait for the next item, as long as the thread is alive."""
    while True:
        try:
            return ready.get(timeout=1.0)
        except queue.Empty:
            if not thread.is_alive() and ready.empty():
                return _Failure(RuntimeError("The thread that reads cells ended unexpectedly."))
