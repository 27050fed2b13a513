"""Metrics and baselines as pure functions on arrays.

Nothing here knows a model: predictions, observations, embeddings and labels come in as arrays.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
