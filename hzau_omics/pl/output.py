"""What becomes of a picture: it is drawn into given axes or a new figure, saved and shown."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hzau_omics._settings import settings
from hzau_omics.checks import check_flag, check_path
from hzau_omics.errors import ConfigError
from hzau_omics.pl.style import new_grid


def figure_of(drawn: Figure | Axes | Sequence[Axes]) -> Figure:
    """Return the figure of what a function of this package returned.

    Examples
    --------
    >>> figure, axes = new_grid(2, ncols=2, panel=(2, 2))
    >>> figure_of(axes) is figure_of(axes[0]) is figure
    True
    """
    if isinstance(drawn, Figure):
        return drawn
    first = drawn if isinstance(drawn, Axes) else drawn[0]
    figure = first.get_figure(root=True)
    assert isinstance(figure, Figure)
    return figure


def panels(
    n: int, *, ax: Axes | None, ncols: int, panel: tuple[float, float], extra: float = 0.0
) -> list[Axes]:
    """Return axes for n panels: those of a new figure, or the given ones for a single panel.

    Parameters
    ----------
    n, ncols, panel, extra
        As of :func:`~hzau_omics.pl.style.new_grid`.
    ax
        Axes to draw into; None for a new figure.

    Raises
    ------
    ConfigError
        Axes are given for several panels.

    Examples
    --------
    >>> len(panels(3, ax=None, ncols=2, panel=(2, 2)))
    3
    """
    if ax is None:
        return new_grid(n, ncols=ncols, panel=panel, extra=extra)[1]
    if n != 1:
        msg = (
            f"ax takes one panel. Received ax and {n} panels to draw: leave ax out, or ask for one "
            "panel."
        )
        raise ConfigError(msg)
    return [ax]


def finish[T: (Axes, list[Axes])](drawn: T, *, show: bool | None, save: str | Path | None) -> T:
    """Save and show a picture, if that is wanted, and return it.

    Raises
    ------
    ConfigError
        `show` is no flag, or `save` is no path.

    Examples
    --------
    >>> finish(plt.figure().add_subplot(), show=None, save=None).get_title()
    ''
    """
    wanted = show is not None and check_flag("show", show)
    if save is not None:
        path = check_path("save", save)
        figure_of(drawn).savefig(path, dpi=settings.dpi, bbox_inches="tight")
    if wanted:
        plt.show()
    return drawn
