"""The failures of a task's held-out cells: the same ones for every system and every seed."""

import numpy as np
from mudata import MuData

from benchmarks.common.task import Task, dense, with_values
from benchmarks.reliability.corruptions import KINDS, Donors, kinds_for

SEED = 2


class Failures:
    """Held-out cells with one measurement of each made to fail.

    Parameters
    ----------
    task
        Training cells, which give the mean profiles, and the held-out cells.
    """

    def __init__(self, task: Task) -> None:
        self.task = task
        self.values = {name: dense(task.test, name) for name in task.modalities}
        self.donors = {name: donors_of(task, name) for name in task.modalities}

    def kinds(self, modality: str) -> list[str]:
        """Return the kinds of failure that suit a modality."""
        return kinds_for(self.values[modality], self.donors[modality])

    def corrupted(self, modality: str, kind: str, strength: float) -> MuData:
        """Return the held-out cells, in all of which a modality has failed."""
        return with_values(self.task.test, modality, self._failed(modality, kind, strength))

    def doublets(self) -> MuData | None:
        """Return the cells mixed with another in all modalities; None if one is categories."""
        mdata = self.task.test
        for modality in self.task.modalities:
            if self.kinds(modality) == ["another_category"]:
                return None
            mdata = with_values(mdata, modality, self._failed(modality, "mixed", 0.5))
        return mdata

    def _failed(self, modality: str, kind: str, strength: float) -> np.ndarray:
        rng = np.random.default_rng(SEED)
        return KINDS[kind][0](self.values[modality], strength, self.donors[modality], rng)


def donors_of(task: Task, modality: str) -> Donors:
    """Return what failed measurements of the test cells take their counts from."""
    train, test = dense(task.train, modality), dense(task.test, modality)
    other = None
    if task.batch_key is not None:
        of_train, of_test = (
            part.obs[task.batch_key].astype(str).to_numpy() for part in (task.train, task.test)
        )
        names = np.unique(of_train)
        means = np.stack([train[of_train == name].mean(0) for name in names])
        if len(names) > 1:
            rng = np.random.default_rng(0)
            others = [rng.choice(np.flatnonzero(names != name)) for name in of_test]
            other = means[others]
    return Donors(profile=train.mean(0), other_profile=other, partner=_derangement(len(test)))


def _derangement(n: int) -> np.ndarray:
    """Return another position for each."""
    order = np.random.default_rng(1).permutation(n)
    partner = np.empty(n, dtype=np.int64)
    partner[order] = np.roll(order, 1)
    return partner
