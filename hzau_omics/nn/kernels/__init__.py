"""Sparse values computed sparsely, in one pass, with gradients of their own.

In a log likelihood a value of 0 needs less than another: it is computed for every entry as if it
were 0, and corrected where it is not.
"""

from hzau_omics.nn.kernels.bernoulli import bernoulli_log_prob
from hzau_omics.nn.kernels.negative_binomial import nb_log_prob
from hzau_omics.nn.kernels.product import sparse_product

__all__ = ["bernoulli_log_prob", "nb_log_prob", "sparse_product"]
