"""Files that take their name once they are complete."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_STEM = 100


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path in a file's folder; what is written there then replaces the file.

    The file is either as before or complete: if the block raises, or the process is killed, a
    former file stays. After an error nothing half-written is left behind. A symbolic link keeps its
    target, which is replaced.

    Parameters
    ----------
    path
        File to write, in an existing folder.

    Yields
    ------
    A path that begins with a dot and has the suffix of `path`, which some writers check.

    Raises
    ------
    IsADirectoryError
        `path` is a folder.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     target = Path(folder) / "metrics.json"
    ...     with replacing(target) as partial:
    ...         size = partial.write_text("{}")
    ...         before = target.exists()
    ...     before, target.read_text(), len(list(Path(folder).iterdir()))
    (False, '{}', 1)
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        msg = f"The path of a file must not be a folder. Received {path}: choose another name."
        raise IsADirectoryError(msg)
    stem = f".{target.stem[:_LONGEST_STEM]}-{secrets.token_hex(4)}.partial"
    partial = target.with_name(stem + target.suffix)
    try:
        yield partial
        # Renaming within one folder is atomic.
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def give_usual_mode(path: Path) -> None:
    """Give a file the permissions that new files have, where its writer kept it to its owner.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     usual, private = Path(folder) / "usual", Path(folder) / "private"
    ...     usual.touch()
    ...     private.touch(mode=0o600)
    ...     give_usual_mode(private)
    ...     private.stat().st_mode == usual.stat().st_mode
    True
    """
    # The mask of a process cannot be read without being changed; a new file shows it.
    probe = path.with_name(f".{secrets.token_hex(4)}.mode")
    probe.touch()
    try:
        path.chmod(probe.stat().st_mode)
    finally:
        probe.unlink()
