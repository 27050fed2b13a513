"""Find a data file, pick the modalities, split the paired cells into training and held-out."""

import os
from dataclasses import dataclass
from pathlib import Path

import mudata
import numpy as np
from scipy import sparse

from hzau_omics.errors import ConfigError, DataContractError, RegistryError

#: Guessed from the name when two modalities are there and no option says otherwise.
_RNA_NAMES = ("rna", "gex", "gene")


def find_file(name: str) -> Path:
    """Find a data file by path, then in ``HZAU_OMICS_DATA``, then through the data registry.

    Raises
    ------
    RegistryError
        If no place knows the name.
    """
    path = Path(name)
    if path.is_file():
        return path
    folder = os.environ.get("HZAU_OMICS_DATA")
    if folder and (Path(folder) / name).is_file():
        return Path(folder) / name
    try:
        from hzau_omics.data.sets.registry import fetch

        return Path(fetch(name))
    except (ImportError, RegistryError) as error:
        message = (
            f"The benchmark file {name!r} is neither a path nor in HZAU_OMICS_DATA ({folder!r}), "
            f"and the data registry does not give it ({error}). Give its path, or set "
            "HZAU_OMICS_DATA to its folder."
        )
        raise RegistryError(message) from error


@dataclass(frozen=True, kw_only=True)
class Split:
    """Paired cells of one MuData: a training part and a held-out part.

    ``train`` and ``test`` have both modalities, rows in the order of ``obs_names``. A method may
    read ``test_x`` and ``query``; ``test_y`` and ``test[target]`` are for the score.
    """

    train: mudata.MuData
    test: mudata.MuData
    source: str
    target: str
    group_key: str | None = None

    @property
    def train_x(self) -> sparse.csr_matrix:
        """Source counts of the training cells, shape (n_train, n_source)."""
        return counts(self.train, self.source)

    @property
    def train_y(self) -> np.ndarray:
        """Target counts of the training cells, dense, shape (n_train, n_target)."""
        return np.asarray(counts(self.train, self.target).toarray())

    @property
    def test_x(self) -> sparse.csr_matrix:
        """Source counts of the held-out cells, shape (n_test, n_source)."""
        return counts(self.test, self.source)

    @property
    def test_y(self) -> np.ndarray:
        """Target counts of the held-out cells, dense, shape (n_test, n_target)."""
        return np.asarray(counts(self.test, self.target).toarray())

    @property
    def features(self) -> list[str]:
        """Names of the target's features."""
        return [str(name) for name in self.test[self.target].var_names]

    @property
    def query(self) -> mudata.MuData:
        """The held-out cells without the target modality: what an imputing model may see."""
        query = mudata.MuData({self.source: self.test[self.source].copy()})
        query.obs = self.test.obs.loc[query.obs_names].copy()
        return query

    def groups(self, part: mudata.MuData) -> np.ndarray | None:
        """Give the cell-type labels of ``part``, or None where the file has none."""
        if self.group_key is None:
            return None
        return np.asarray(part.obs[self.group_key].astype(str))


def counts(mdata: mudata.MuData, modality: str) -> sparse.csr_matrix:
    """Give the counts of one modality as CSR, rows in the order of ``mdata.obs_names``."""
    return sparse.csr_matrix(mdata[modality][mdata.obs_names].X)


def choose_modalities(
    names: list[str], source: str | None = None, target: str | None = None
) -> tuple[str, str]:
    """Choose source and target: as given, or RNA to the other one where there are two.

    Raises
    ------
    ConfigError
        If a name is unknown, both are the same, or the choice is not clear.
    """
    for name in (source, target):
        if name is not None and name not in names:
            message = f"There is no modality {name!r}; the file has {', '.join(names)}."
            raise ConfigError(message)
    if source is None or target is None:
        if len(names) != 2:
            message = (
                f"Source and target can be guessed only for two modalities; the file has "
                f"{len(names)}: {', '.join(names)}. Give both --source and --target."
            )
            raise ConfigError(message)
        known = source if source is not None else target
        if known is None:
            source = next((n for n in names if n.lower() in _RNA_NAMES), names[0])
            known = source
        other = next(n for n in names if n != known)
        source, target = (known, other) if source is not None else (other, known)
    if source == target:
        message = f"Source and target are both {source!r}; give two different modalities."
        raise ConfigError(message)
    return source, target


def held_out(n_cells: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Give the row numbers of training and held-out cells.

    A fifth is held out: the first of a permutation by ``numpy.random.default_rng(seed)``.
    """
    test = np.random.default_rng(seed).permutation(n_cells)[: n_cells // 5]
    return np.setdiff1d(np.arange(n_cells), test), np.sort(test)


def make_split(
    mdata: mudata.MuData,
    *,
    source: str | None = None,
    target: str | None = None,
    seed: int = 0,
    group_key: str | None = "cell_type",
) -> Split:
    """Split the cells that have both modalities; labels are used where ``group_key`` exists in obs.

    Raises
    ------
    ConfigError
        If the modalities are not clear.
    DataContractError
        If fewer than five cells have both modalities.
    """
    source, target = choose_modalities(list(mdata.mod), source, target)
    names = [
        n for n in mdata.obs_names if n in mdata[source].obs_names and n in mdata[target].obs_names
    ]
    if len(names) < 5:
        message = (
            f"Held-out imputation needs at least 5 cells with both {source!r} and {target!r}; "
            f"there are {len(names)}. Choose other modalities."
        )
        raise DataContractError(message)
    train, test = (
        _subset(mdata, np.asarray(names)[rows], (source, target))
        for rows in held_out(len(names), seed)
    )
    key = group_key if group_key is not None and group_key in mdata.obs else None
    return Split(train=train, test=test, source=source, target=target, group_key=key)


def _subset(mdata: mudata.MuData, names: np.ndarray, modalities: tuple[str, str]) -> mudata.MuData:
    # Each modality is put into the same order: then row i is the same cell everywhere.
    part = mudata.MuData({m: mdata[m][names].copy() for m in modalities})
    part.obs = mdata.obs.loc[part.obs_names].copy()
    return part
