"""What a method is given and what it gives back, as files that every environment can read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

RNA, PROTEIN, CHROMATIN = "rna", "protein", "chromatin"

type Parts = Mapping[str, np.ndarray | None]
"""Modalities, and names of their features; None for all."""


@dataclass(frozen=True, kw_only=True)
class Cells:
    """Counts and batches of cells; no label.

    Attributes
    ----------
    names, batch
        Name and batch of each cell.
    counts
        Counts of each modality (cell, feature); rows of cells that lack it are empty.
    present
        Which cells have each modality.
    features
        Names of each modality's features.
    measured
        Which features each batch measured (batch, feature), batches in the order of `batches`.
    """

    names: np.ndarray
    batch: np.ndarray
    counts: Mapping[str, sparse.csr_matrix]
    present: Mapping[str, np.ndarray]
    features: Mapping[str, np.ndarray]
    measured: Mapping[str, np.ndarray]

    @property
    def modalities(self) -> list[str]:
        """Names of the modalities."""
        return list(self.counts)

    @property
    def batches(self) -> np.ndarray:
        """Names of the batches, sorted."""
        return np.unique(self.batch)

    @property
    def paired(self) -> np.ndarray:
        """Which cells have all modalities."""
        return np.stack(list(self.present.values())).all(axis=0)

    @property
    def mosaic(self) -> bool:
        """Whether some cells lack a modality."""
        return not self.paired.all()

    @property
    def pattern(self) -> np.ndarray:
        """Modalities of each cell, joined by "+"."""
        return np.array(
            ["+".join(m for m in self.modalities if self.present[m][i]) for i in range(self.n)]
        )

    @property
    def group(self) -> np.ndarray:
        """Batch of each cell, split by measured modalities where cells of one batch differ."""
        pattern = self.pattern
        group = self.batch.astype(object)
        for name in self.batches:
            rows = self.batch == name
            if len(np.unique(pattern[rows])) > 1:
                group[rows] = [f"{name} {one}" for one in pattern[rows]]
        return group.astype(str)

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.names)

    def rows(self, modality: str) -> np.ndarray:
        """Return positions of the cells that have a modality."""
        return np.flatnonzero(self.present[modality])

    def subset(self, rows: np.ndarray, parts: Parts | None = None) -> "Cells":
        """Return some cells, by mask or position, with some modalities and features (all)."""
        batches = np.isin(self.batches, self.batch[rows])
        parts = dict.fromkeys(self.modalities) if parts is None else parts
        counts, features, measured = {}, {}, {}
        for m, names in parts.items():
            features[m] = self.features[m] if names is None else np.asarray(names)
            columns = pd.Index(self.features[m]).get_indexer(features[m])
            counts[m] = sparse.csr_matrix(self.counts[m][rows][:, columns])
            measured[m] = self.measured[m][batches][:, columns]
        return Cells(
            names=self.names[rows],
            batch=self.batch[rows],
            counts=counts,
            present={m: self.present[m][rows] for m in parts},
            features=features,
            measured=measured,
        )

    def pieces(self) -> Iterator[bytes]:
        """Yield what decides a result, for a digest."""
        yield "\n".join([*self.names, *self.batch]).encode()
        for m in self.modalities:
            for values in (self.counts[m].data, self.counts[m].indices, self.present[m]):
                yield values.tobytes()

    def arrays(self) -> dict[str, Any]:
        """Return everything as arrays by name, for an NPZ."""
        arrays: dict[str, Any] = {"names": self.names.astype(str), "batch": self.batch.astype(str)}
        for m, x in self.counts.items():
            arrays |= {f"{m}/data": x.data, f"{m}/indices": x.indices, f"{m}/indptr": x.indptr}
            arrays |= {f"{m}/shape": np.array(x.shape), f"{m}/present": self.present[m]}
            arrays |= {f"{m}/features": self.features[m].astype(str)}
            arrays |= {f"{m}/measured": self.measured[m]}
        return arrays

    def save(self, path: Path) -> None:
        """Write to an NPZ."""
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **self.arrays())

    @classmethod
    def load(cls, path: Path) -> "Cells":
        """Read what :meth:`save` wrote."""
        with np.load(path) as file:
            return cls.of_arrays({name: file[name] for name in file.files})

    @classmethod
    def of_arrays(cls, found: Mapping[str, Any]) -> "Cells":
        """Make them of what :meth:`arrays` gives."""
        modalities = [name.split("/")[0] for name in found if name.endswith("/data")]

        def each(key: str) -> dict[str, np.ndarray]:
            return {m: found[f"{m}/{key}"] for m in modalities}

        counts = {
            m: sparse.csr_matrix(
                tuple(found[f"{m}/{part}"] for part in ("data", "indices", "indptr")),
                shape=tuple(found[f"{m}/shape"]),
            )
            for m in modalities
        }
        return cls(
            names=found["names"],
            batch=found["batch"],
            counts=counts,
            present=each("present"),
            features=each("features"),
            measured=each("measured"),
        )


@dataclass(frozen=True, kw_only=True)
class Embedding:
    """What a method says of the cells.

    Attributes
    ----------
    joint
        Embedding (cell, dimension); None where the method gives neighbours only.
    neighbours, distances
        Nearest other cells of each (cell, neighbour), nearest first; None where `joint` is given.
    alone
        Embeddings of cells inferred from one modality each (cell, dimension); NaN where a cell
        lacks it. Empty where the method has none.
    cut
        Whether training was stopped by the time limit.
    info
        What else is worth recording, such as the number of epochs.
    """

    joint: np.ndarray | None = None
    neighbours: np.ndarray | None = None
    distances: np.ndarray | None = None
    alone: Mapping[str, np.ndarray] = field(default_factory=dict)
    cut: bool = False
    info: Mapping[str, Any] = field(default_factory=dict)

    def save(self, path: Path) -> None:
        """Write the arrays to an NPZ."""
        arrays = {f"alone/{name}": x.astype(np.float32) for name, x in self.alone.items()}
        if self.joint is not None:
            arrays["joint"] = self.joint.astype(np.float32)
        if self.neighbours is not None and self.distances is not None:
            arrays["neighbours"] = self.neighbours.astype(np.int32)
            arrays["distances"] = self.distances.astype(np.float32)
        np.savez_compressed(path, allow_pickle=False, **arrays)

    @classmethod
    def load(cls, path: Path) -> "Embedding":
        """Read what :meth:`save` wrote; the rest is in the record of the run."""
        with np.load(path) as file:
            found = {name: file[name] for name in file.files}
        alone = {n.removeprefix("alone/"): x for n, x in found.items() if n.startswith("alone/")}
        return cls(
            joint=found.get("joint"),
            neighbours=found.get("neighbours"),
            distances=found.get("distances"),
            alone=alone,
        )


def spread(x: np.ndarray, rows: np.ndarray, n_cells: int) -> np.ndarray:
    """Put the rows of some cells into an array of all; NaN for the others."""
    full = np.full((n_cells, x.shape[1]), np.nan, dtype=np.float32)
    full[rows] = x
    return full
