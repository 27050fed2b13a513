"""Kernels: one pass over the values, with gradients written by hand.

A value of 0 costs less than any other in a log likelihood. The likelihood is therefore computed as
if every value were 0, and corrected where one is not.
"""

from hzau_omics.nn.kernels.bernoulli import bernoulli_log_prob
from hzau_omics.nn.kernels.negative_binomial import nb_log_prob
from hzau_omics.nn.kernels.negative_binomial_dense import nb_dense_log_prob
from hzau_omics.nn.kernels.negative_binomial_wide import nb_wide_log_prob
from hzau_omics.nn.kernels.product import sparse_product

__all__ = [
    "bernoulli_log_prob",
    "nb_dense_log_prob",
    "nb_log_prob",
    "nb_wide_log_prob",
    "sparse_product",
]
