from . import (
    data as data,
    metrics as metrics,
    model as model,
    pl as pl,
    pp as pp,
    report as report,
    text as text,
)
from ._info import __version__ as __version__, info as info
from ._settings import settings as settings
from .workflow import run as run
