"""Canvases with several digits: what is drawn is what the text says."""

import numpy as np
import pytest

from hzau_omics.data import compose_digits
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture(scope="module")
def digits():
    """Ten plain squares, each of its own grey."""
    return np.repeat(np.arange(10) * 25 + 30, 28 * 28).reshape(10, 28, 28), np.arange(10)


def test_the_text_names_the_digits_that_are_drawn(digits):
    mdata = compose_digits(*digits, n_obs=60, seed=1)
    assert mdata["image"].shape == (60, 2500)
    lengths = set()
    for pixels, word, text in zip(
        mdata["image"].X, mdata.obs["digits"], mdata["text"].X, strict=True
    ):
        shown = set(np.round(pixels[pixels > 0] * 255).astype(int).tolist())
        assert shown == {25 * int(d) + 30 for d in word}
        rows = text.reshape(4, 11)
        np.testing.assert_array_equal(rows.sum(1), 1)
        assert rows.argmax(1).tolist() == [int(d) for d in word] + [10] * (4 - len(word))
        lengths.add(len(word))
    assert lengths == {1, 2, 3, 4}


def test_digits_do_not_overlap_and_are_read_from_left_to_right(digits):
    mdata = compose_digits(*digits, n_obs=80, seed=2)
    for pixels, word in zip(mdata["image"].X, mdata.obs["digits"], strict=True):
        canvas = np.round(pixels.reshape(50, 50) * 255)
        boxes = []
        for digit in set(word):
            rows, columns = np.nonzero(canvas == 25 * int(digit) + 30)
            if word.count(digit) == 1:
                # A whole square: nothing covers it.
                side = np.ptp(rows) + 1
                assert len(rows) == side**2
                assert np.ptp(columns) + 1 == side
                boxes.append((digit, rows.min(), columns.min()))
        if len(boxes) == len(word) == 2:
            (a, top, left), (b, other_top, other_left) = boxes
            if abs(top - other_top) < 4:
                assert word == (a + b if left < other_left else b + a)
            elif abs(top - other_top) > 20:
                assert word == (a + b if top < other_top else b + a)


def test_a_seed_gives_the_same_canvases(digits):
    first, again, other = (compose_digits(*digits, n_obs=4, seed=s) for s in (0, 0, 1))
    np.testing.assert_array_equal(first["image"].X, again["image"].X)
    assert not np.array_equal(first["image"].X, other["image"].X)


def test_bad_input_is_named(digits):
    images, labels = digits
    with pytest.raises(DataContractError, match=r"labels must be integers from 0 to 9.*to 10"):
        compose_digits(images, labels + 1, n_obs=1)
    with pytest.raises(ConfigError, match=r"canvas of 30 pixels has room for 1 digits"):
        compose_digits(images, labels, n_obs=1, canvas=30)
    with pytest.raises(ConfigError, match=r"Received max_digits=5"):
        compose_digits(images, labels, n_obs=1, max_digits=5)
    with pytest.raises(DataContractError, match=r"\(image, row, column\). Received \(10, 784\)"):
        compose_digits(images.reshape(10, -1), labels, n_obs=1)
    with pytest.raises(ConfigError, match="n_obs must be a positive integer"):
        compose_digits(images, labels, n_obs=0)
