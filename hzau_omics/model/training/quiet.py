"""Lines of Lightning about devices, of which the settings say whether they are told."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from hzau_omics._settings import LIGHTNING_LOGGERS, settings


def _no_advertisement(record: logging.LogRecord) -> bool:
    """Keep what Lightning says about devices, and drop its tips on other products."""
    return "Tip:" not in record.getMessage()


for _name in LIGHTNING_LOGGERS:
    logging.getLogger(_name).addFilter(_no_advertisement)


def _problems_only(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING


@contextmanager
def as_quiet_as_wanted() -> Iterator[None]:
    """Drop what is no problem within the block, where the settings ask for quiet."""
    loggers = [logging.getLogger(name) for name in LIGHTNING_LOGGERS] if settings.is_quiet else []
    for logger in loggers:
        logger.addFilter(_problems_only)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_problems_only)
