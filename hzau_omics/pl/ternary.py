"""Triangle plot of three shares that sum to 1."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from hzau_omics.errors import ConfigError
from hzau_omics.pl.style import TEXT, legend_beside, palette, point_size

N_CORNERS = 3
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])
GRID = (0.25, 0.5, 0.75)


def draw_triangle(ax: Axes, parts: dict[str, pd.DataFrame], names: list[str]) -> None:
    """Draw each cell in a triangle: the closer to a corner, the larger that modality's share.

    Raises
    ------
    ConfigError
        There are not three modalities.
    """
    if len(names) != N_CORNERS:
        msg = (
            "kind='ternary' must have three modalities. Received "
            f"{len(names)}: {', '.join(names)}. Select three columns, or take kind='bar' or 'box'."
        )
        raise ConfigError(msg)
    ax.add_patch(Polygon(CORNERS, fill=False, edgecolor="#333333", linewidth=1))
    for share in GRID:
        for corner in range(N_CORNERS):
            ends = share * CORNERS[corner] + (1 - share) * np.delete(CORNERS, corner, axis=0)
            ax.plot(*ends.T, color="0.85", linewidth=0.6, zorder=0)
    # Cells without any of the modalities have no position in the triangle.
    parts = {name: part[part.sum(axis=1) > 0] for name, part in parts.items()}
    n_cells = sum(map(len, parts.values()))
    colours = palette(len(parts))
    for part, colour in zip(parts.values(), colours, strict=True):
        x, y = (part.to_numpy(np.float64) @ CORNERS).T
        ax.scatter(x, y, s=point_size(n_cells), color=colour, linewidths=0, rasterized=True)
    aligned = (("right", "top"), ("left", "top"), ("center", "bottom"))
    for name, place, (side, edge) in zip(names, CORNERS, aligned, strict=True):
        ax.annotate(
            name, place, xytext=(0, 4 if edge == "bottom" else -4), textcoords="offset points",
            ha=side, va=edge, fontsize=TEXT, fontweight="bold",
        )  # fmt: skip
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colour, label=f"{name}  (n = {len(part):,})")
        for (name, part), colour in zip(parts.items(), colours, strict=True)
    ]
    legend_beside(ax, handles)
    ax.set_aspect("equal")
    ax.set(xlim=(-0.12, 1.12), ylim=(-0.12, 1.0))
    ax.set_axis_off()
