"""Mosaics of images: every sample is where it belongs, bad input is named."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from anndata import AnnData
from mudata import MuData
from scipy import sparse

from hzau_omics import pl
from hzau_omics.errors import ConfigError, DataContractError


def panel(axes, i=0):
    return np.asarray(axes[i].images[0].get_array())


def test_samples_are_laid_out_row_by_row():
    images = np.arange(5)[:, None] / 10 * np.ones((5, 6))
    found = panel(pl.samples(images, shape=(2, 3)))
    # Three columns and two rows of 2 x 3 pixels, a line between.
    assert found.shape == (2 * 3 - 1, 3 * 4 - 1)
    for i in range(5):
        row, column = divmod(i, 3)
        np.testing.assert_allclose(
            found[3 * row : 3 * row + 2, 4 * column : 4 * column + 3], i / 10
        )
    np.testing.assert_array_equal(found[3:, 8:], 1)
    np.testing.assert_array_equal(found[2, :8], 0.5)


def test_pixels_keep_their_place_in_an_image():
    image = np.arange(6).reshape(2, 3) / 10
    np.testing.assert_array_equal(panel(pl.samples(image.reshape(1, 6), shape=(2, 3))), image)


def test_several_sets_have_titles_and_the_first_samples():
    sets = {"prior": AnnData(np.zeros((70, 4))), "given 3": sparse.csr_matrix(np.ones((2, 4)))}
    axes = pl.samples(sets)
    assert [ax.get_title() for ax in axes] == ["prior", "given 3"]
    assert panel(axes).shape == (8 * 3 - 1, 8 * 3 - 1)
    assert panel(pl.samples(np.zeros((9, 4)), n_samples=1)).shape == (2, 2)
    plt.close("all")


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (np.zeros((2, 5)), {}, ConfigError, "Received 5 pixels for an image of 2 x 2.*shape="),
        (
            np.zeros((2, 6)),
            {"shape": (2, 2)},
            ConfigError,
            "Received 6 pixels for an image of 2 x 2",
        ),
        (np.zeros((2, 4)), {"n_samples": 0}, ConfigError, "n_samples must be a positive integer"),
        (np.zeros((0, 4)), {}, DataContractError, r"Received the shape \(0, 4\)"),
        (np.zeros((2, 2, 2)), {}, DataContractError, r"Received the shape \(2, 2, 2\)"),
        (np.full((2, 4), 255), {}, DataContractError, "Received 255 to 255. Scale them"),
        (
            MuData({"image": AnnData(np.zeros((2, 4)))}),
            {},
            DataContractError,
            "a MuData with image",
        ),
        ({"a": np.full((2, 4), np.nan)}, {}, DataContractError, "Pixels of 'a'"),
    ],
)
def test_bad_input_is_named(images, options, error, message):
    with pytest.raises(error, match=message):
        pl.samples(images, **options)
