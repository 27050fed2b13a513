"""One file per method: ``embed`` takes cells, a seed and a time limit, and embeds.

A file runs in the environment of its method, which lacks ``hzau_omics``: it may import the method's
packages, NumPy, SciPy, pandas and its neighbours here. ``worker`` runs one of them on a file.
"""
