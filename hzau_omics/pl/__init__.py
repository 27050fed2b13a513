"""Plots of results, with matplotlib.

Every function draws what it is given and returns the Axes or the Figure. None computes an embedding
or shows a figure.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
