"""The history of a training: one data frame per metric, one row per epoch."""

from typing import Any

import numpy as np
import pandas as pd

type History = dict[str, pd.DataFrame]


def extended(former: History | None, new: History, offset: int) -> History:
    """Append the epochs of another run to a history, in place of those from its first one on."""
    result = {}
    for name, frame in new.items():
        later = pd.DataFrame(frame).astype(float)
        later.index = pd.Index(frame.index.to_numpy(dtype=np.int64) + offset, name="epoch")
        earlier = (former or {}).get(name)
        if earlier is not None:
            later = pd.concat([earlier[earlier.index < later.index[0]], later])
        result[name] = later
    return {**(former or {}), **result}


def to_dict(history: History | None) -> dict[str, Any] | None:
    """Return a history as plain values."""
    if history is None:
        return None
    return {
        name: {"epoch": frame.index.tolist(), "value": frame.iloc[:, 0].astype(float).tolist()}
        for name, frame in history.items()
    }


def from_dict(record: dict[str, Any] | None) -> History | None:
    """Build a history from plain values."""
    if record is None:
        return None
    return {
        name: pd.DataFrame({name: column["value"]}, index=pd.Index(column["epoch"], name="epoch"))
        for name, column in record.items()
    }
