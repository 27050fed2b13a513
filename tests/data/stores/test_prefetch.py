"""Reading ahead: the same items, errors where they are awaited, no thread left behind."""

import threading
import time

import pytest

from hzau_omics.data.stores import prefetch
from hzau_omics.data.stores.prefetch import prefetched


def _reading():
    return [t for t in threading.enumerate() if t.name == "hzau-omics-reader"]


def test_items_come_in_order_and_the_thread_ends():
    assert list(prefetched(iter(range(100)), depth=3)) == list(range(100))
    assert not _reading()


def test_no_more_than_depth_items_are_made_ahead():
    made = []

    def items():
        for i in range(50):
            made.append(i)
            yield i

    stream = prefetched(items(), depth=4)
    next(stream)
    time.sleep(0.5)
    # One was taken, four wait, one is in the hand of the thread.
    assert len(made) <= 6
    stream.close()
    assert not _reading()


def test_an_error_comes_after_the_items_before_it():
    def items():
        yield 1
        msg = "the disk is gone"
        raise OSError(msg)

    stream = prefetched(items(), depth=2)
    assert next(stream) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(stream)


def test_a_thread_that_dies_is_noticed(monkeypatch):
    class Dead(threading.Thread):
        def start(self):
            self._target = lambda: None
            super().start()

    monkeypatch.setattr(prefetch.threading, "Thread", Dead)
    with pytest.raises(RuntimeError, match="ended unexpectedly"):
        next(prefetched(iter("abc"), depth=1))
