"""Images as modalities: values, labels, and what is refused."""

import numpy as np
import pytest

from hzau_omics.data import image_mudata
from hzau_omics.errors import ConfigError, DataContractError


@pytest.fixture
def images():
    return np.random.default_rng(0).integers(0, 256, size=(40, 5, 4), dtype=np.uint8)


@pytest.fixture
def labels():
    return np.arange(40) % 3


def test_grey_values_and_one_hot_labels(images, labels):
    mdata = image_mudata(images, labels)
    assert mdata["image"].shape == (40, 20)
    np.testing.assert_allclose(mdata["image"].X, images.reshape(40, 20) / 255, rtol=1e-6)
    np.testing.assert_array_equal(mdata["label"].X.argmax(1), labels)
    np.testing.assert_array_equal(mdata["label"].X.sum(1), 1)
    assert mdata.obs["class"].tolist() == labels.astype(str).tolist()
    assert image_mudata(images, labels, n_classes=10)["label"].n_vars == 10


def test_binary_images(images, labels):
    threshold = image_mudata(images, labels, pixels="threshold")["image"].X
    np.testing.assert_array_equal(threshold, (images.reshape(40, 20) >= 128).astype(float))
    draws = [image_mudata(images, labels, pixels="sampled", seed=s)["image"].X for s in (0, 0, 1)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()
    every = [image_mudata(images, labels, pixels="sampled", seed=s)["image"].X for s in range(400)]
    np.testing.assert_allclose(np.mean(every, 0), images.reshape(40, 20) / 255, atol=0.12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i, y: (i[:3], y), "one class per image"),
        (lambda i, y: (i[0, 0], y), "one class per image"),
        (lambda i, y: (i / 255, y), "images must be integers from 0 to 255"),
        (lambda i, y: (i.astype(int) * 3, y), "images must be integers from 0 to 255"),
        (lambda i, y: (i, y - 1), "labels must be integers from 0"),
        (lambda i, y: (i[:0], y[:0]), "one class per image"),
    ],
)
def test_what_is_no_image_or_label_is_refused(images, labels, change, message):
    with pytest.raises(DataContractError, match=message):
        image_mudata(*change(images, labels))


def test_unknown_kinds_of_pixels_and_too_few_classes_are_refused(images, labels):
    with pytest.raises(ConfigError, match=r"pixels must be one of.*Received 'binary'"):
        image_mudata(images, labels, pixels="binary")
    with pytest.raises(DataContractError, match="labels must be integers from 0 to 0"):
        image_mudata(images, labels, n_classes=1)


@pytest.mark.parametrize("part", ["images", "labels"])
def test_masked_pixels_and_labels_are_no_values(images, labels, part):
    given = {"images": images, "labels": labels}
    given[part] = np.ma.array(given[part], mask=False)
    assert image_mudata(**given)["image"].n_obs == 40
    given[part][0] = np.ma.masked
    with pytest.raises(DataContractError, match=f"{part} must be integers.*nan"):
        image_mudata(**given)
