from .annotation import add_annotation_modality as add_annotation_modality
from .embedding import embed_modality as embed_modality
from .features import select_features as select_features
from .names import align_names as align_names
from .panel import mark_unmeasured as mark_unmeasured
from .qc import qc as qc
from .ranking import rank_genes_groups as rank_genes_groups
from .rows import drop_empty_rows as drop_empty_rows
from .text import (
    add_ontology_modality as add_ontology_modality,
    add_text_modality as add_text_modality,
)
