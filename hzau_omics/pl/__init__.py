"""Pictures of results, with matplotlib.

Every function draws what it is given, computes no embedding, and returns its Axes or Figure; none
shows it.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
