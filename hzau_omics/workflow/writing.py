"""Writing results: nothing is replaced unless asked, and errors say what could not be written."""

import errno
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hzau_omics.errors import ConfigError, DataContractError

if TYPE_CHECKING:
    from mudata import MuData

# anndata names what it could not write in a note of the exception.
_CLASS = re.compile(r" (in|into|for) <class '[^']*'>")
_NOTE = re.compile(r"writing key (?P<key>.+) of <class .+> to (?P<group>\S+)")


def check_outputs(
    outputs: Sequence[Path], sources: Sequence[Path], *, overwrite: bool = False
) -> None:
    """Refuse to write a result over an input, or over what is there already.

    Raises
    ------
    ConfigError
        An output is an input, or one contains the other; or it exists and must not be replaced.
    """
    for out in outputs:
        for source in sources:
            written, read = out.resolve(), source.resolve()
            if written == read:
                msg = f"the output {out} is the input itself; give --out another name"
                raise ConfigError(msg)
            if read in written.parents or written in read.parents:
                msg = (
                    f"the output {out} and the input {source} must not contain one another; "
                    "change --out"
                )
                raise ConfigError(msg)
    there = [str(out) for out in outputs if out.exists() and not _is_empty_folder(out)]
    if there and not overwrite:
        msg = f"{', '.join(there)} exists; add --overwrite to replace it, or change --out"
        raise ConfigError(msg)


@contextmanager
def new_folder(folder: Path) -> Iterator[None]:
    """Create the folder of the results; an error before anything is in it removes it again.

    Raises
    ------
    ConfigError
        There is a file of this name.
    """
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    make_folder(folder)
    try:
        yield
    except BaseException:
        for one in made:
            if not _is_empty_folder(one):
                break
            one.rmdir()
        raise


def make_folder(folder: Path) -> None:
    """Create the folder of the results if it does not exist.

    Raises
    ------
    ConfigError
        There is a file of this name.
    """
    if folder.exists() and not folder.is_dir():
        msg = f"{folder} is a file, and --out needs a folder there; change --out"
        raise ConfigError(msg)
    folder.mkdir(parents=True, exist_ok=True)


LOAD = (
    "To go on without training again, load it in Python (HZAUVAE.load), call annotate, and write "
    "the data."
)
"""Remedy after a training whose other results could not be written."""


@contextmanager
def attempt(step: str, *, saved: Path | None = None, remedy: str = LOAD) -> Iterator[None]:
    """Report of an error which step failed, why, and whether the model is saved.

    Parameters
    ----------
    step
        What is attempted, such as ``"write cells.h5mu"``.
    saved
        Folder of the model if it is saved already.
    remedy
        How to go on from the saved model.

    Raises
    ------
    ConfigError, DataContractError
        For errors of these types.
    OSError
        For any other error.
    """
    try:
        yield
    except Exception as error:
        is_own = isinstance(error, ConfigError | DataContractError)
        if is_own and saved is None:
            raise
        msg = f"cannot {step}: {reason_of(error)}"
        if saved is not None:
            msg = f"the model is saved in {saved}; {msg} {remedy}"
        kind = type(error) if is_own else OSError
        raise kind(msg) from error


def is_about_files(error: BaseException) -> bool:
    """Return whether an error, or what caused it, is that a file could not be written or read.

    Examples
    --------
    >>> is_about_files(OSError(errno.ENOSPC, "write failed")), is_about_files(ValueError("p"))
    (True, False)
    """
    cause = error.__cause__
    return isinstance(error, OSError) if cause is None else is_about_files(cause)


def reason_of(error: Exception) -> str:
    """Return why something could not be written, and a remedy if there is one.

    Examples
    --------
    >>> reason_of(OSError(errno.ENOSPC, "write failed"))
    'no space is left on the device. Free some space.'
    >>> reason_of(ValueError("No column 'knd'. Did you mean 'kind'?"))
    "No column 'knd'. Did you mean 'kind'?"
    """
    text = _CLASS.sub("", " ".join(str(error).split())).rstrip(".")
    code = getattr(error, "errno", None)
    # HDF5 wraps the error of the operating system.
    if code == errno.ENOSPC or f"errno = {errno.ENOSPC}," in text:
        return "no space is left on the device. Free some space."
    for note in getattr(error, "__notes__", ()):
        found = _NOTE.search(note)
        if found is not None:
            return (
                f"the file cannot hold {found['key']} of {found['group']}: {_ended(text)} "
                "Rename it, change its type, or remove it."
            )
    return _ended(text or type(error).__name__)


def _ended(text: str) -> str:
    """Return a sentence with its end."""
    return text if text.endswith(("?", "!")) else f"{text}."


def names_with_slash(mdata: "MuData") -> list[str]:
    """Return the columns whose name an ``.h5mu`` file can no longer hold.

    Examples
    --------
    >>> import anndata, mudata
    >>> adata = anndata.AnnData(shape=(2, 1))
    >>> adata.obs["CD4/CD8"] = 1.0
    >>> names_with_slash(mudata.MuData({"rna": adata}))
    ["'CD4/CD8' of rna.obs"]
    """
    frames = {"obs": mdata.obs, "var": mdata.var}
    for name, adata in mdata.mod.items():
        frames |= {f"{name}.obs": adata.obs, f"{name}.var": adata.var}
    return [
        f"{column!r} of {where}"
        for where, frame in frames.items()
        for column in frame.columns
        if "/" in str(column)
    ]


def _is_empty_folder(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
