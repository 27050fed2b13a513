"""Settings of the package that hold until they are changed: ``hzau_omics.settings``."""

import logging
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TextIO

from hzau_omics.errors import ConfigError

LOGGER = "hzau_omics"
"""Name of the logger above those of all modules."""

LIGHTNING_LOGGERS = (
    "lightning.pytorch.utilities.rank_zero",
    "lightning.fabric.utilities.rank_zero",
)
"""Loggers of what Lightning says about devices and its own products."""

LEVELS = {
    "silent": logging.CRITICAL + 10,
    "error": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
    "debug": logging.DEBUG,
}

SAVED_DPI = 150


class _OwnHandler(logging.StreamHandler[TextIO]):
    """Write to stderr, unless the program has handlers of its own, which get the records too."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter("%(message)s"))

    @typing.override
    def emit(self, record: logging.LogRecord) -> None:
        if not _has_handlers_of_the_program(logging.getLogger(record.name)):
            # Notebooks and tests replace it.
            self.stream = sys.stderr
            super().emit(record)


def _has_handlers_of_the_program(logger: logging.Logger) -> bool:
    """Return whether others than the own handler get the records of a logger."""
    above: logging.Logger | None = logger
    while above is not None:
        if any(not isinstance(one, _OwnHandler | logging.NullHandler) for one in above.handlers):
            return True
        above = above.parent if above.propagate else None
    return False


@contextmanager
def _restoring_the_logger() -> Iterator[None]:
    """Restore level and handler of the package's logger, which the user may have set."""
    logger = logging.getLogger(LOGGER)
    level, handlers = logger.level, list(logger.handlers)
    try:
        yield
    finally:
        logger.setLevel(level)
        for one in list(logger.handlers):
            if isinstance(one, _OwnHandler) and one not in handlers:
                logger.removeHandler(one)


class Settings:
    """Defaults of all calls, until they are changed.

    There is one object, ``hzau_omics.settings``. An argument of a call always comes before it.

    Attributes
    ----------
    seed
        Seed of training and of methods that take one, where ``seed=None``; the same call then gives
        the same result, whatever ran before. None: each call draws one from torch's global
        generator, so that ``torch.manual_seed`` and ``scvi.settings.seed`` repeat a whole script.
    verbosity
        What the logger ``"hzau_omics"`` tells: ``"silent"``, ``"error"``, ``"warning"`` (the
        default), ``"info"`` or ``"debug"``. With ``"silent"`` and ``"error"`` there are no progress
        bars, and no lines of Lightning about devices. Warnings (:class:`HzauWarning`) are not
        messages of the logger, and stay.
    progress_bar
        Whether training shows progress; None: unless `verbosity` is ``"silent"`` or ``"error"``.
    num_threads
        Threads of torch and of compiled loops; None: as torch has chosen. Only setting it loads
        torch.
    dpi
        Dots per inch of pictures that `save` writes, 150 by default.
    figure_scale
        Factor of the size of new figures, 1 by default.

    Examples
    --------
    >>> import hzau_omics as ho
    >>> ho.settings.seed = 0
    >>> with ho.settings.override(seed=1, verbosity="error"):
    ...     ho.settings.seed, ho.settings.verbosity
    (1, 'error')
    >>> ho.settings.seed
    0
    >>> ho.settings.seed = None
    """

    NAMES = ("seed", "verbosity", "progress_bar", "num_threads", "dpi", "figure_scale")

    def __init__(self) -> None:
        self._seed: int | None = None
        self._verbosity = "warning"
        self._progress_bar: bool | None = None
        self._num_threads: int | None = None
        self._threads_before: int | None = None
        self._dpi = SAVED_DPI
        self._figure_scale = 1.0

    @property
    def seed(self) -> int | None:
        """Seed where a call has none; None to draw one."""
        return self._seed

    @seed.setter
    def seed(self, value: int | None) -> None:
        from hzau_omics.checks import check_seed, if_given

        self._seed = if_given(check_seed, "settings.seed", value)

    @property
    def verbosity(self) -> str:
        """What the logger of the package tells."""
        return self._verbosity

    @verbosity.setter
    def verbosity(self, value: str) -> None:
        from hzau_omics.checks import check_choice

        self._verbosity = check_choice("settings.verbosity", value, tuple(LEVELS))
        logger = logging.getLogger(LOGGER)
        if not any(isinstance(one, _OwnHandler) for one in logger.handlers):
            logger.addHandler(_OwnHandler())
        logger.setLevel(LEVELS[self._verbosity])

    @property
    def is_quiet(self) -> bool:
        """Whether nothing but errors is told."""
        return LEVELS[self._verbosity] > logging.WARNING

    @property
    def progress_bar(self) -> bool | None:
        """Whether training shows progress; None to follow `verbosity`."""
        return self._progress_bar

    @progress_bar.setter
    def progress_bar(self, value: bool | None) -> None:
        from hzau_omics.checks import check_flag, if_given

        self._progress_bar = if_given(check_flag, "settings.progress_bar", value)

    @property
    def shows_progress(self) -> bool:
        """Whether training shows progress."""
        return not self.is_quiet if self._progress_bar is None else self._progress_bar

    @property
    def num_threads(self) -> int | None:
        """Threads of torch; None for its own choice."""
        return self._num_threads

    @num_threads.setter
    def num_threads(self, value: int | None) -> None:
        from hzau_omics.checks import check_integer, if_given

        number = if_given(check_integer, "settings.num_threads", value)
        if number is None and self._threads_before is None:
            return
        import torch

        if self._threads_before is None:
            self._threads_before = torch.get_num_threads()
        torch.set_num_threads(self._threads_before if number is None else number)
        self._num_threads = number
        if number is None:
            self._threads_before = None

    @property
    def dpi(self) -> int:
        """Dots per inch of saved pictures."""
        return self._dpi

    @dpi.setter
    def dpi(self, value: int) -> None:
        from hzau_omics.checks import check_integer

        self._dpi = check_integer("settings.dpi", value)

    @property
    def figure_scale(self) -> float:
        """Factor of the size of new figures."""
        return self._figure_scale

    @figure_scale.setter
    def figure_scale(self, value: float) -> None:
        from hzau_omics.checks import POSITIVE, check_number

        self._figure_scale = check_number("settings.figure_scale", value, POSITIVE)

    @contextmanager
    def override(self, **changed: Any) -> Iterator["Settings"]:
        """Change settings within a ``with`` block, and restore them afterwards.

        Raises
        ------
        ConfigError
            There is no such setting, or a value is not allowed; then none is changed.
        """
        former = {name: self._known(name) for name in changed}
        with _restoring_the_logger() if "verbosity" in changed else nullcontext():
            try:
                for name, value in changed.items():
                    setattr(self, name, value)
                yield self
            finally:
                for name, value in former.items():
                    setattr(self, name, value)

    def _known(self, name: str) -> Any:
        if name not in self.NAMES:
            from hzau_omics.messages import did_you_mean, listed

            msg = f"There is no setting {name!r}. There are {listed(self.NAMES, limit=20)}."
            raise ConfigError(msg + did_you_mean(name, self.NAMES))
        return getattr(self, name)

    @typing.override
    def __setattr__(self, name: str, value: Any) -> None:
        """Set a setting; a misspelt name is refused."""
        if not name.startswith("_"):
            self._known(name)
        super().__setattr__(name, value)

    @typing.override
    def __repr__(self) -> str:
        """List all settings."""
        return f"Settings({', '.join(f'{name}={getattr(self, name)!r}' for name in self.NAMES)})"


settings = Settings()
