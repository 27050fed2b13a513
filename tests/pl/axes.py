"""What axes with horizontal bars show."""

import numpy as np
from matplotlib.patches import Rectangle


def labels_of(ax: object) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def bars_of(ax: object) -> np.ndarray:
    """Widths of the bars, modalities x groups."""
    bars = [p for p in ax.patches if isinstance(p, Rectangle)]
    return np.array([bar.get_width() for bar in bars]).reshape(-1, len(labels_of(ax)))
