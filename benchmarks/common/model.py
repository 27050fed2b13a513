"""The class of the model that is measured."""


def model_class() -> type:
    """Import the model late: it costs the import of scvi-tools."""
    from hzau_omics.model import HZAUVAE

    return HZAUVAE
