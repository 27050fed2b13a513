"""Pictures are drawn without a display and closed after each test."""

from collections.abc import Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

mpl.use("Agg")


@pytest.fixture(autouse=True)
def _close_figures(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse(*_args: object, **_options: object) -> None:
        pytest.fail("a plot function called plt.show")

    monkeypatch.setattr(plt, "show", refuse)
    yield
    plt.close("all")
