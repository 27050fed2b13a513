from .pipeline import run as run
