"""Figures as PNG files, which no longer take memory as figures."""

from io import BytesIO

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hzau_omics.pl.output import figure_of
from hzau_omics.report.content import Picture

_DPI = 110


def png_of(figure: Figure) -> bytes:
    """Return the bytes of a PNG file with a figure, which stays as it is."""
    buffer = BytesIO()
    # Without the name of the program the same figure gives the same bytes.
    figure.savefig(buffer, format="png", dpi=_DPI, bbox_inches="tight", metadata={"Software": None})
    return buffer.getvalue()


def drawn(figure: Figure | Axes | list[Axes], alt: str, caption: str = "") -> Picture:
    """Return a picture of a figure, which is closed.

    Parameters
    ----------
    figure
        The figure, or its axes, as functions of ``hzau_omics.pl`` return them.
    alt
        What the picture shows, in one sentence.
    caption
        Text below the picture.
    """
    whole = figure_of(figure)
    image = png_of(whole)
    plt.close(whole)
    return Picture(image=image, alt=alt, caption=caption)
