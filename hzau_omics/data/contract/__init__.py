"""What a model asks of a MuData, and the layout that it is registered with.

Where to make a change:

- ``spec``: options of a modality, and the domain and options of each likelihood.
- ``layout``: what is registered, as plain values that are saved with a model.
- ``register``: set-up as far as it needs names and columns alone; ``data/build`` does all of it.
- ``columns``: columns of ``obs``: where they are looked up, categories, numbers.
- ``presence``: which cell has which modality, checked against ``obsmap``.
- ``matrix``: reading a modality's matrix in any format.
- ``values``: which values a likelihood allows, and what to do about others.
- ``panel``: which features each batch measured.
- ``align``: a modality brought to the registered features, for training and held-out cells.
- ``uns_text``: how a modality that was made from texts was made.
"""
