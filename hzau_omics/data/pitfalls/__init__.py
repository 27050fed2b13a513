"""Pitfalls in training data: what is legal in a MuData but rarely intended, reported as warnings.

The path of the data, and where to make a change:

- ``survey``: goes over the cells of one MuData or of the pieces of a store, and warns at the end.
- ``summary``: summary statistics of a modality, so that values need not be kept.
- ``detection``: depth of cells, and number of cells in which a feature is detected.
- ``silent``: features, cells and batches that are 0 throughout, tested against chance.
- ``raw_counts``: counts that look normalised, log-transformed or scaled.
- ``value_warnings``: the warnings about values, with their remedies.
- ``links``: which modalities share cells, and the warnings about it.
- ``confounding``: labels and covariates that cannot be told from the batch.
- ``unlabelled``: labels that read like no label.
- ``cell_names``: rules (suffix, prefix, case) under which cell names of two modalities agree.
- ``warning``: how a warning is issued.
"""
