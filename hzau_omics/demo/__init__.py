"""Demo on the bundled data: train, embed, impute, and write a report."""

from hzau_omics.demo.run import run

__all__ = ["run"]
