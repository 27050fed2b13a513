"""Embedding: where each cell is in the shared latent."""

from collections.abc import Sequence
from typing import Literal, overload

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from hzau_omics.checks import check_flag, check_seed, if_given
from hzau_omics.model.answers.base import Answers, Cells
from hzau_omics.model.session import (
    InferenceSession,
    check_given,
    evaluating,
    make_generator,
    shared_points,
)


class Embedding(Answers):
    """Latent embeddings."""

    @overload
    def get_latent_representation(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        given: str | Sequence[str] | None = None,
        shared: bool = True,
        give_mean: bool = True,
        return_dist: Literal[True],
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]: ...

    @overload
    def get_latent_representation(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        given: str | Sequence[str] | None = None,
        shared: bool = True,
        give_mean: bool = True,
        return_dist: Literal[False] = False,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> NDArray[np.float32]: ...

    def get_latent_representation(
        self,
        mdata: Cells = None,
        *,
        indices: ArrayLike | None = None,
        given: str | Sequence[str] | None = None,
        shared: bool = True,
        give_mean: bool = True,
        return_dist: bool = False,
        batch_size: int | None = None,
        seed: int | None = None,
    ) -> NDArray[np.float32] | tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the latent embedding of each cell.

        Cells with few modalities have wide posteriors, whose means lie nearer to 0 than those of
        other cells. Where cells of the training data had different modalities, means are therefore
        mapped to coordinates that can be compared, whatever was measured of each cell
        (docs/method.md, equations 41 and 42). Where training mixed batches, points are also freed
        of what a batch adds to cells of each state (equations 53 and 54). A new batch gets its
        shifts from all cells of it in `mdata`, if they are at least 20.

        Parameters
        ----------
        mdata
            Cells; None for those that the model holds.
        indices
            Positions of cells, each once, or a boolean mask; None for all cells.
        given
            Modality or modalities to infer from, each once; None for all that were measured. A cell
            without any of them gets the prior: mean 0 and variance 1.
        shared
            Whether to return points in these shared coordinates; False returns posterior means.
        give_mean
            Whether to return one point per cell; False draws a sample of its posterior instead, not
            in shared coordinates.
        return_dist
            Whether to return the posteriors' means and variances instead, not in shared
            coordinates.
        batch_size
            Cells per minibatch; None for 512.
        seed
            Seed of the samples.

        Returns
        -------
        Array of shape (cells, n_latent), or two of them.

        Raises
        ------
        DataContractError
            The MuData does not match what was registered, or `given` is unknown.
        ConfigError
            An option is out of range.
        """
        names = check_given(self.layout, given)
        return_dist = check_flag("return_dist", return_dist)
        give_mean = check_flag("give_mean", give_mean)
        shared = check_flag("shared", shared)
        seed = if_given(check_seed, "seed", seed)
        session = self._session(mdata, indices, batch_size)
        if shared and give_mean and not return_dist:
            return shared_points(session, names)
        mean, variance = embed(session, names)
        if return_dist:
            return mean, variance
        return mean if give_mean else sample_latent(mean, variance, seed)


def embed(
    session: InferenceSession, given: Sequence[str] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and variance of the pooled posterior, each of shape (cell, latent)."""
    shape = (len(session), session.network.config.n_latent)
    mean, variance = np.zeros(shape, np.float32), np.ones(shape, np.float32)
    with evaluating(session.network):
        for rows, batch in session.minibatches():
            q = session.infer(batch, given)[1].q
            mean[rows] = q.mean.cpu().numpy()
            variance[rows] = q.variance.cpu().numpy()
    return mean, variance


def sample_latent(
    mean: NDArray[np.float32], variance: NDArray[np.float32], seed: int | None
) -> NDArray[np.float32]:
    """Draw one latent per cell."""
    generator = make_generator(seed, torch.device("cpu"))
    noise = torch.randn(mean.shape, generator=generator).numpy()
    return np.asarray(mean + np.sqrt(variance) * noise, dtype=np.float32)
