"""Settings that hold until they are changed."""

import logging
from collections.abc import Iterator

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import hzau_omics as ho
from hzau_omics._settings import LOGGER, Settings
from hzau_omics.errors import ConfigError
from hzau_omics.pl.output import finish
from hzau_omics.pl.style import new_axes, new_grid

DEFAULTS = {
    "seed": None,
    "verbosity": "warning",
    "progress_bar": None,
    "num_threads": None,
    "dpi": 150,
    "figure_scale": 1.0,
}
REFUSED = {
    "seed": [-1, 0.5, "0", True],
    "verbosity": ["loud", 3, None],
    "progress_bar": ["yes", 1],
    "num_threads": [0, -1, 1.5, "2"],
    "dpi": [0, 72.5, None],
    "figure_scale": [0, -1, "2", None, np.inf],
}


@pytest.fixture(autouse=True)
def _undo() -> Iterator[None]:
    logger = logging.getLogger(LOGGER)
    handlers, level = list(logger.handlers), logger.level
    yield
    for name, value in DEFAULTS.items():
        setattr(ho.settings, name, value)
    logger.handlers[:], logger.level = handlers, level


def test_the_representation_lists_all_settings() -> None:
    assert tuple(DEFAULTS) == Settings.NAMES
    assert repr(ho.settings) == (
        "Settings(seed=None, verbosity='warning', progress_bar=None, num_threads=None, dpi=150, "
        "figure_scale=1.0)"
    )


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_value_of_a_setting_is_refused_and_changes_nothing(name: str) -> None:
    for value in REFUSED[name]:
        with pytest.raises(ConfigError, match=rf"settings.{name} must be .*Received"):
            setattr(ho.settings, name, value)
        assert getattr(ho.settings, name) == DEFAULTS[name]


def test_a_misspelt_setting_is_refused_with_the_right_one() -> None:
    with pytest.raises(ConfigError, match=r"no setting 'sed'.*Did you mean 'seed'"):
        ho.settings.sed = 0
    with (
        pytest.raises(ConfigError, match=r"no setting 'verbose'.*'verbosity'"),
        ho.settings.override(seed=1, verbose=True),
    ):
        pass
    assert ho.settings.seed is None


def test_a_block_restores_what_it_changed_after_an_error_too() -> None:
    ho.settings.seed = 3

    def fails() -> None:
        with ho.settings.override(seed=np.int64(5), dpi=70) as inner:
            assert (inner.seed, inner.dpi) == (5, 70)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    assert (ho.settings.seed, ho.settings.dpi) == (3, 150)
    with pytest.raises(ConfigError, match="dpi"), ho.settings.override(seed=7, dpi=0):
        pass
    assert ho.settings.seed == 3


def test_threads_are_those_of_torch_and_are_given_back() -> None:
    before = torch.get_num_threads()
    with ho.settings.override(num_threads=2):
        assert torch.get_num_threads() == 2
    assert torch.get_num_threads() == before
    ho.settings.num_threads = before + 1
    ho.settings.num_threads = None
    assert torch.get_num_threads() == before


def test_figures_follow_size_and_resolution(tmp_path) -> None:
    with ho.settings.override(figure_scale=2, dpi=50):
        figure, _ = new_grid(2, ncols=2, panel=(1, 1))
        assert figure.get_size_inches().tolist() == [4, 2]
        axes = new_axes(None, size=(3, 2))
        assert axes.figure.get_size_inches().tolist() == [6, 4]
        for dpi in (50, 100):
            ho.settings.dpi = dpi
            finish(axes, show=None, save=tmp_path / f"{dpi}.png")
    small, large = (plt.imread(tmp_path / f"{dpi}.png").shape for dpi in (50, 100))
    assert large[0] == pytest.approx(2 * small[0], abs=3)


def test_the_logger_tells_as_much_as_is_wanted(capsys, monkeypatch) -> None:
    # Programs with handlers of their own, such as these tests, get the records from those.
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    logger = logging.getLogger(f"{LOGGER}.somewhere")
    for verbosity, heard in (
        ("silent", []),
        ("error", ["e"]),
        ("warning", ["w", "e"]),
        ("info", ["i", "w", "e"]),
        ("debug", ["d", "i", "w", "e"]),
    ):
        ho.settings.verbosity = verbosity
        for level in ("debug", "info", "warning", "error"):
            getattr(logger, level)(level[0])
        assert capsys.readouterr().err.split() == heard


def test_handlers_of_the_program_get_each_record_once(caplog, capsys) -> None:
    ho.settings.verbosity = "info"
    ho.settings.verbosity = "info"
    logging.getLogger(f"{LOGGER}.somewhere").info("once")
    assert caplog.messages == ["once"]
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("level", [logging.NOTSET, logging.DEBUG])
def test_a_block_restores_the_logger_as_the_user_had_it(level: int) -> None:
    logger = logging.getLogger(LOGGER)
    logger.setLevel(level)
    before = list(logger.handlers)
    with ho.settings.override(verbosity="error"):
        assert logger.level == logging.ERROR
    with pytest.raises(ConfigError), ho.settings.override(verbosity="info", dpi=0):
        pass
    assert (logger.level, logger.handlers) == (level, before)
    assert ho.settings.verbosity == "warning"


def test_a_block_restores_the_verbosity_that_was_set() -> None:
    ho.settings.verbosity = "info"
    logger = logging.getLogger(LOGGER)
    before = list(logger.handlers)
    with ho.settings.override(verbosity="silent"):
        pass
    assert (logger.level, logger.handlers) == (logging.INFO, before)


@pytest.mark.parametrize("name", [LOGGER, f"{LOGGER}.somewhere"])
def test_handlers_on_loggers_of_the_package_get_each_record_once(name, capsys, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    ho.settings.verbosity = "info"
    own, heard = logging.getLogger(name), []
    handler = logging.Handler()
    handler.emit = lambda record: heard.append(record.getMessage())
    own.addHandler(handler)
    try:
        logging.getLogger(f"{LOGGER}.somewhere").info("once")
    finally:
        own.removeHandler(handler)
    assert heard == ["once"]
    assert capsys.readouterr().err == ""


def test_a_handler_that_drops_everything_does_not_silence(capsys, monkeypatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [logging.NullHandler()])
    ho.settings.verbosity = "info"
    logging.getLogger(f"{LOGGER}.somewhere").info("heard")
    assert capsys.readouterr().err == "heard\n"


def test_other_loggers_are_left_alone() -> None:
    names = ("", "scvi", "lightning.pytorch.utilities.rank_zero")
    before = [(one.level, list(one.handlers)) for one in map(logging.getLogger, names)]
    ho.settings.verbosity = "debug"
    ho.settings.verbosity = "silent"
    assert before == [(one.level, list(one.handlers)) for one in map(logging.getLogger, names)]


@pytest.mark.parametrize(
    ("verbosity", "progress_bar", "shown"),
    [
        ("warning", None, True),
        ("error", None, False),
        ("silent", None, False),
        ("silent", True, True),
        ("debug", False, False),
    ],
)
def test_progress_follows_the_verbosity_unless_it_is_set(verbosity, progress_bar, shown) -> None:
    with ho.settings.override(verbosity=verbosity, progress_bar=progress_bar):
        assert ho.settings.shows_progress is shown
