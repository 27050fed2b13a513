"""Plots of results, with matplotlib.

Every function draws what it is given and returns the Axes, or a list of them where it draws several
panels. None computes an embedding, and none shows a figure unless `show=True`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
