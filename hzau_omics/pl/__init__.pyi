from ._embedding import embedding as embedding
from ._gate import gate as gate
from ._gate_umap import gate_umap as gate_umap
from ._imputation import imputation as imputation
from ._labels import labels as labels
from ._novelty import novelty as novelty
from ._patterns import pattern_counts as pattern_counts, pattern_names as pattern_names
from ._pit import pit as pit
from ._reliability import reliability as reliability
from ._samples import samples as samples
from ._training import training as training
from ._umap import umap as umap
from ._volcano import volcano as volcano
