from .annotation import add_annotation_modality as add_annotation_modality
from .embedding import embed_modality as embed_modality
from .text import (
    add_ontology_modality as add_ontology_modality,
    add_text_modality as add_text_modality,
)
