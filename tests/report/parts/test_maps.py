"""Clusters that show how cells were measured are named, by batch, set and single modality."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd

from hzau_omics.report.parts import maps as module
from hzau_omics.report.subject import PATTERN


def test_a_cluster_without_a_modality_is_found_where_sets_differ() -> None:
    n = 300
    rng = np.random.default_rng(0)
    present = pd.DataFrame({"rna": rng.random(n) < 0.5, "text": rng.random(n) < 0.5})
    present["adt"] = ~present["rna"]
    clusters = pd.Series(np.where(np.arange(n) < 60, "1", "0"))
    present.loc[:59, "text"] = False
    sets = present.apply(lambda row: " + ".join(present.columns[row]), axis=1)
    subject: Any = SimpleNamespace(
        present=present, clusters=clusters, obs=pd.DataFrame({PATTERN: sets})
    )
    (found,) = module._one_sided(subject, [PATTERN], None)
    assert (found.cluster, found.group, found.share) == ("1", "without text", 1.0)
