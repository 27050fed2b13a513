"""Images and their labels as modalities of a MuData, for benchmarks from the literature."""

from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from anndata import AnnData
from mudata import MuData
from numpy.typing import ArrayLike, NDArray

from hzau_omics.arrays import unmasked
from hzau_omics.checks import check_choice, check_integer, check_seed, if_given
from hzau_omics.errors import DataContractError

Pixels = Literal["grey", "threshold", "sampled"]

WHITE = 255.0


def image_mudata(
    images: ArrayLike,
    labels: ArrayLike,
    *,
    pixels: Pixels = "grey",
    n_classes: int | None = None,
    seed: int = 0,
) -> MuData:
    """Make a MuData with the modality ``image`` (pixels) and ``label`` (one-hot).

    Parameters
    ----------
    images
        Array (image, row, column) or (image, pixel) of integers from 0 to 255.
    labels
        Class of each image, from 0.
    pixels
        ``"grey"`` scales to 0 to 1; ``"threshold"`` gives 1 from 128 on; ``"sampled"`` draws 1 with
        the grey value as probability (Salakhutdinov and Murray 2008), once.
    n_classes
        Number of classes; None takes the largest label plus 1.
    seed
        Seed of the draws.

    Returns
    -------
    MuData of images ``image_0``, ...: both modalities suit the likelihoods ``bernoulli`` and
    ``categorical``; ``obs["class"]`` holds the class as text.

    Raises
    ------
    DataContractError
        Pixels or labels are out of range, or their lengths differ.
    ConfigError
        `pixels` is unknown.

    Examples
    --------
    >>> mdata = image_mudata(np.full((3, 2, 2), 255), [0, 1, 1])
    >>> mdata["image"].shape, mdata["label"].X.tolist()[2]
    ((3, 4), [0.0, 1.0])
    """
    grey, classes = np.asarray(unmasked(images)), np.asarray(unmasked(labels))
    n_classes = if_given(check_integer, "n_classes", n_classes)
    seed = check_seed("seed", seed)
    check_images(grey, classes, highest_label=np.inf if n_classes is None else n_classes - 1)
    check_choice("pixels", pixels, get_args(Pixels))
    flat = grey.reshape(len(grey), -1).astype(np.float32) / np.float32(WHITE)
    if pixels == "threshold":
        flat = (flat > 0.5).astype(np.float32)
    elif pixels == "sampled":
        flat = (np.random.default_rng(seed).random(flat.shape) < flat).astype(np.float32)
    n = int(classes.max()) + 1 if n_classes is None else n_classes
    names = [f"image_{i}" for i in range(len(flat))]
    mdata = MuData(
        {
            "image": image_block(flat, names),
            "label": image_block(
                np.eye(n, dtype=np.float32)[classes], names, [f"class_{i}" for i in range(n)]
            ),
        }
    )
    mdata.obs["class"] = pd.Categorical(classes.astype(str))
    return mdata


def check_images(
    grey: NDArray[Any], classes: NDArray[Any], *, highest_label: float = np.inf
) -> None:
    """Refuse images or labels of a wrong shape, type or range.

    Raises
    ------
    DataContractError
        A shape, a type or a value is wrong.
    """
    if grey.ndim < 2 or classes.shape != (len(grey),) or not len(grey):
        msg = (
            "images must have the shape (image, row, column), and labels one class per image. "
            f"Received {grey.shape} and {classes.shape}."
        )
        raise DataContractError(msg)
    for name, values, highest in (("images", grey, WHITE), ("labels", classes, highest_label)):
        if values.dtype.kind not in "iu" or values.min() < 0 or values.max() > highest:
            limit = f" to {highest:.0f}" if np.isfinite(highest) else ""
            msg = (
                f"{name} must be integers from 0{limit}. Received {values.dtype} from "
                f"{values.min()} to {values.max()}."
            )
            raise DataContractError(msg)


def image_block(
    values: NDArray[np.float32], cells: list[str], features: list[str] | None = None
) -> AnnData:
    """Return values with the names of cells and features; features are pixels by default."""
    if features is None:
        features = [f"pixel_{i}" for i in range(values.shape[1])]
    return AnnData(
        values, obs=pd.DataFrame(index=pd.Index(cells)), var=pd.DataFrame(index=pd.Index(features))
    )
