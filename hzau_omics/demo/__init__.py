"""The main job on the bundled data: train, impute, embed, and report."""

from hzau_omics.demo.run import run

__all__ = ["run"]
