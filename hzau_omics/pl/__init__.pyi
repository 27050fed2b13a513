from ._embedding import embedding as embedding, gate_umap as gate_umap, umap as umap
from ._gate import (
    gate as gate,
    pattern_counts as pattern_counts,
    pattern_names as pattern_names,
    reliability as reliability,
)
from ._imputation import imputation as imputation, pit as pit
from ._samples import samples as samples
from ._training import training as training
