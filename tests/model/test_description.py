"""How models show themselves."""

from html.parser import HTMLParser

import numpy as np
import pytest

import hzau_omics as ho
from hzau_omics.model import HZAUVAE
from hzau_omics.model.version import MODEL_VERSION


class Text(HTMLParser):
    """Collect the text of tags, and check that every tag is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture
def model() -> HZAUVAE:
    mdata = ho.data.simulate(40, seed=0, n_features={"rna": 12, "adt": 7}, n_batches=2)
    mdata.obs["<b>lane"] = mdata.obs["batch"].to_numpy()
    HZAUVAE.setup_mudata(mdata, {"rna": "nb", "adt": "nb"}, batch_key="<b>lane")
    return HZAUVAE(mdata, n_latent=3, n_hidden=8)


def test_a_notebook_shows_modalities_cells_and_state(model, quick):
    words = Text(model._repr_html_()).words
    assert words[0] == "HZAUVAE"
    for shown in ("rna", "12", "adt", "7", "nb", "2 of 2 batches", "40", "untrained", "cpu"):
        assert shown in words
    assert "seed" not in words
    model.train(**{**quick, "seed": 17})
    words = Text(model._repr_html_()).words
    for name, value in (("state", "trained for 2 epochs"), ("seed", "17")):
        assert words[words.index(name) + 1] == value
    assert f"hzau_omics {ho.__version__}, model version {MODEL_VERSION}" in words


def test_names_are_escaped(model):
    html = model._repr_html_()
    assert "<b>" not in html
    assert "2 (<b>lane)" in Text(html).words


def test_no_colour_is_fixed(model):
    html = model._repr_html_()
    assert "#" not in html
    assert "rgb" not in html


def test_a_model_without_data_says_so_and_keeps_its_seed(model, quick, tmp_path):
    model.train(**{**quick, "seed": np.int64(17)})
    model.save(tmp_path / "model")
    loaded = HZAUVAE.load(tmp_path / "model")
    assert loaded.training_options_[-1]["seed"] == 17
    assert "none attached" in Text(loaded._repr_html_()).words
    assert repr(loaded) == repr(model)
    assert "\n" not in repr(model)


def test_a_drawn_seed_is_kept_and_repeats_the_training(model, quick):
    model.train(**{**quick, "seed": None})
    assert isinstance(model.training_options_[-1]["seed"], int)
    again = HZAUVAE(model.adata, n_latent=3, n_hidden=8)
    again.train(**{**quick, "seed": model.training_options_[-1]["seed"]})
    np.testing.assert_array_equal(
        again.get_latent_representation(), model.get_latent_representation()
    )
