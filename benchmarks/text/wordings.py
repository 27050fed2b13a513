"""What else a biologist may call a type of cell: wordings that no training text has.

For each label its term of the Cell Ontology, other names, and what the cells do or are known by.
All of these are ours; names and definitions of training texts come from the ontology.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Paraphrases:
    """Wordings of one type.

    Attributes
    ----------
    term
        Identifier in the Cell Ontology.
    names
        Other names, abbreviations and markers.
    functions
        What the cells do, where they are and how they are known, without their name.
    """

    term: str
    names: tuple[str, ...]
    functions: tuple[str, ...]


_CD4 = Paraphrases(
    "CL:0000624",
    ("helper T lymphocytes", "CD4 T cells", "CD4+ lymphocytes"),
    (
        "lymphocytes that help other immune cells by secreting cytokines",
        "T cells that recognise peptides presented on MHC class II",
    ),
)
_CD8 = Paraphrases(
    "CL:0000625",
    ("cytotoxic T lymphocytes", "CD8 T cells", "CD8+ lymphocytes"),
    (
        "killer T cells that destroy virus-infected cells",
        "T cells that recognise peptides presented on MHC class I",
    ),
)
_NK = Paraphrases(
    "CL:0000623",
    ("NK lymphocytes", "natural killers", "CD56+ CD3- lymphocytes"),
    (
        "innate lymphocytes that kill tumour cells without prior sensitisation",
        "large granular lymphocytes",
    ),
)
_B = Paraphrases(
    "CL:0000236",
    ("B lymphocytes of the blood", "CD19+ CD20+ lymphocytes", "B lineage cells"),
    ("lymphocytes that make antibodies", "cells of humoral immunity carrying immunoglobulin"),
)
_CLASSICAL = Paraphrases(
    "CL:0000860",
    ("CD14-high monocytes", "CD14++ CD16- monocytes", "classical blood monocytes"),
    (
        "phagocytes of the blood that become macrophages in inflamed tissue",
        "myeloid cells with much CD14 and LYZ",
    ),
)
_NON_CLASSICAL = Paraphrases(
    "CL:0000875",
    ("CD16-high monocytes", "CD14 low CD16++ monocytes", "nonclassical monocytes"),
    ("monocytes that patrol the vessel wall", "monocytes expressing FCGR3A"),
)
_DENDRITIC = Paraphrases(
    "CL:0000451",
    ("DCs", "dendritic leukocytes", "myeloid dendritic cells with high HLA-DR"),
    ("professional antigen-presenting cells", "cells that prime naive T cells in lymph nodes"),
)
_NAIVE_CD4 = Paraphrases(
    "CL:0000895",
    ("naive CD4 T cells", "CD45RA+ CD4+ T lymphocytes"),
    ("helper T cells that have not met their antigen yet",),
)
_NAIVE_CD8 = Paraphrases(
    "CL:0000900",
    ("naive CD8 T cells", "CD45RA+ CD8+ T lymphocytes"),
    ("cytotoxic T cells that have not met their antigen yet",),
)
_ASTROCYTE = Paraphrases(
    "CL:0000127",
    ("astroglia", "astroglial cells"),
    ("star-shaped glia with end feet on blood vessels",),
)
_OLIGODENDROCYTE = Paraphrases(
    "CL:0000128",
    ("oligodendroglia", "oligodendrocytes of the cortex"),
    ("glia that wrap axons with myelin",),
)

PARAPHRASES: Mapping[str, Mapping[str, Paraphrases]] = {
    "pbmc10k": {
        "CD4+ T cells": _CD4, "CD8+ T cells": _CD8, "NK cells": _NK, "B cells": _B,
        "CD14+ monocytes": _CLASSICAL, "CD16+ monocytes": _NON_CLASSICAL,
        "Dendritic cells": _DENDRITIC,
    },
    "pbmc68k": {
        "CD14+ Monocyte": _CLASSICAL, "Dendritic": _DENDRITIC, "CD56+ NK": _NK, "CD19+ B": _B,
        "CD4+/CD45RA+/CD25- Naive T": _NAIVE_CD4,
        "CD8+/CD45RA+ Naive Cytotoxic": _NAIVE_CD8,
        "CD4+/CD25 T Reg": Paraphrases(
            "CL:0000792",
            ("Tregs", "regulatory T lymphocytes", "FOXP3+ CD25+ T cells"),
            ("T cells that suppress immune responses",),
        ),
        "CD8+ Cytotoxic T": Paraphrases(
            "CL:0000794",
            ("CTLs", "cytotoxic CD8 T cells"),
            ("T cells that kill their targets with perforin and granzyme",),
        ),
        "CD4+/CD45RO+ Memory": Paraphrases(
            "CL:0000897",
            ("memory CD4 T cells", "CD45RO+ CD4+ T lymphocytes"),
            ("helper T cells that remember an antigen",),
        ),
        "CD34+": Paraphrases(
            "CL:0008001",
            ("CD34+ progenitors", "blood progenitor cells"),
            ("immature cells from which blood cells develop",),
        ),
    },
    "bmmc": {
        "CD14+ Mono": _CLASSICAL, "NK": _NK, "CD4+ T naive": _NAIVE_CD4,
        "CD8+ T naive": _NAIVE_CD8,
        "Reticulocyte": Paraphrases(
            "CL:0000558",
            ("young red blood cells", "reticulated erythrocytes"),
            ("almost mature red cells that have lost their nucleus",),
        ),
        "Normoblast": Paraphrases(
            "CL:0000765",
            ("nucleated red cells", "late erythroid precursors"),
            ("red cell precursors of the marrow that make haemoglobin",),
        ),
        "Transitional B": Paraphrases(
            "CL:0000818",
            ("immature B lymphocytes leaving the marrow", "transitional B lymphocytes"),
            ("B cells on their way from the bone marrow to the spleen",),
        ),
        "CD4+ T activated": Paraphrases(
            "CL:0001043",
            ("activated CD4 T cells", "activated helper T lymphocytes"),
            ("helper T cells that have just met their antigen",),
        ),
    },
    "snareseq": {
        "Astro": _ASTROCYTE, "Oligo": _OLIGODENDROCYTE,
        "OPC": Paraphrases(
            "CL:0002453",
            ("oligodendrocyte progenitors", "NG2 glia"),
            ("proliferating glia that mature into myelinating cells",),
        ),
        "MGC": Paraphrases(
            "CL:0000129",
            ("microglia", "brain macrophages"),
            ("immune cells of the brain that clear debris",),
        ),
        "Endo": Paraphrases(
            "CL:0000115",
            ("vascular endothelium", "endothelial lining cells"),
            ("cells that line blood vessels",),
        ),
        "Peri": Paraphrases(
            "CL:0000669",
            ("pericytes of brain capillaries", "mural cells"),
            ("contractile cells wrapped around capillaries",),
        ),
        "Pvalb": Paraphrases(
            "CL:4023018",
            ("parvalbumin interneurons", "PV neurons"),
            ("fast-spiking inhibitory neurons",),
        ),
        "Sst": Paraphrases(
            "CL:4023017",
            ("somatostatin interneurons", "SST neurons"),
            ("inhibitory neurons that target distal dendrites",),
        ),
        "CGE": Paraphrases(
            "CL:4023016",
            ("vasoactive intestinal peptide interneurons", "VIP neurons"),
            ("inhibitory neurons that inhibit other inhibitory neurons",),
        ),
        "L2/3": Paraphrases(
            "CL:4030059",
            ("upper layer pyramidal neurons", "layer 2/3 excitatory neurons"),
            ("excitatory neurons that connect the two hemispheres from upper layers",),
        ),
        "L4/5": Paraphrases(
            "CL:4030062",
            ("layer 4/5 excitatory neurons", "L4/5 IT neurons"),
            ("excitatory neurons of the middle layers",),
        ),
        "L6": Paraphrases(
            "CL:4023042",
            ("layer 6 corticothalamic pyramidal neurons", "deep layer excitatory neurons"),
            ("excitatory neurons of the deepest layer that project to the thalamus",),
        ),
    },
}  # fmt: skip
