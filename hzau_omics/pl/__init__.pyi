from .curves import training as training
from .embeddings import embedding as embedding, gate_umap as gate_umap, umap as umap
from .predictions import imputation as imputation, pit as pit
from .samples import samples as samples
from .shares import (
    gate as gate,
    pattern_counts as pattern_counts,
    pattern_names as pattern_names,
    reliability as reliability,
)
