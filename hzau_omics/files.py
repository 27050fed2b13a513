"""Files that get their name once they are complete."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LONGEST_STEM = 100


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a name to write to, in the folder of a file; what was written then replaces the file.

    The file is as it was before, or complete: where the block raises, or the process is killed, a
    former file stays. After an error nothing half-written is left behind. A symbolic link keeps
    pointing to where it did.

    Parameters
    ----------
    path
        File to write, in an existing folder.

    Yields
    ------
    A new name that begins with a dot and ends as `path` does, for writers that look at the suffix.

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
        msg = f"{path} is a folder, and a file is to be written. Choose another name."
        raise IsADirectoryError(msg)
    stem = f".{target.stem[:_LONGEST_STEM]}-{secrets.token_hex(4)}.partial"
    partial = target.with_name(stem + target.suffix)
    try:
        yield partial
        # Within one folder, so that the new name comes in one step.
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
