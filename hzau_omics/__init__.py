"""Gated multimodal variational autoencoders for single-cell MuData.

The package is lazy: ``import hzau_omics`` loads none of torch, scvi-tools, anndata and lightning.
A part is imported when it is first used.

Examples
--------
>>> import hzau_omics as ho
>>> "model" in dir(ho)
True
"""

import os

import lazy_loader

from hzau_omics.waiting import wait_briefly

wait_briefly(os.environ)
__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
