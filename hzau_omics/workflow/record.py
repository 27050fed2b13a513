"""``run.json``: what was done to what, so that a run that stopped can go on."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hzau_omics.errors import ConfigError
from hzau_omics.files import replacing

FILE = "run.json"
FORMAT = 1


def digest(*parts: object) -> str:
    """Return a digest of plain values.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}), digest(1) == digest("1")
    (True, False)
    """
    text = json.dumps(parts, sort_keys=True, default=repr)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def file_digest(path: Path) -> str:
    """Return a digest of the content of a file, or of all files in a folder with their names.

    Raises
    ------
    FileNotFoundError
        There is no such file or folder.
    """
    if path.is_dir():
        inner = sorted(one for one in path.rglob("*") if one.is_file())
        return digest([[str(one.relative_to(path)), file_digest(one)] for one in inner])
    if not path.exists():
        msg = f"There is no file {path}; check the path."
        raise FileNotFoundError(msg)
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16))
    return found.hexdigest()


class Record:
    """The stages of a run that are done, each with a key that says what it depends on.

    Parameters
    ----------
    folder
        Folder of the results.
    entries
        Stage -> its entry in the file.
    facts
        What else stands in the file, such as the configuration.
    """

    def __init__(self, folder: Path, entries: Mapping[str, Any], facts: Mapping[str, Any]) -> None:
        self.folder = folder
        self._entries: dict[str, Any] = dict(entries)
        self._facts = dict(facts)

    @classmethod
    def open(cls, folder: Path, facts: Mapping[str, Any], *, resume: bool) -> "Record":
        """Return the record of a folder; an empty one unless a run is to go on.

        Raises
        ------
        ConfigError
            The file is not a record of this format.
        """
        path = folder / FILE
        if not resume or not path.exists():
            return cls(folder, {}, facts)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise KeyError
            return cls(folder, found["stages"], facts)
        except (KeyError, TypeError, ValueError) as error:
            msg = (
                f"{path} is not a record of format {FORMAT}, so the run cannot go on. Leave "
                "--resume out, and add --overwrite to replace what is there."
            )
            raise ConfigError(msg) from error

    @property
    def is_of_earlier_run(self) -> bool:
        """Whether an earlier run goes on."""
        return bool(self._entries)

    def is_done(self, stage: str, key: str) -> bool:
        """Return whether a stage was completed for this key, and its outputs are all there."""
        entry = self._entries.get(stage, {})
        return (
            entry.get("key") == key
            and bool(entry.get("complete"))
            and all(_sizes(self.folder / name) == size for name, size in entry["outputs"].items())
        )

    def is_begun(self, stage: str, key: str) -> bool:
        """Return whether a stage was begun for this key, and not completed."""
        entry = self._entries.get(stage, {})
        return entry.get("key") == key and not entry.get("complete")

    def wrote(self, name: str) -> bool:
        """Return whether an output is of an earlier stage of this run, and may be replaced."""
        return any(name in entry["outputs"] for entry in self._entries.values())

    def begin(self, stage: str, key: str, outputs: Sequence[str] = ()) -> None:
        """Write that a stage begins; `outputs` may be there before it is complete."""
        entry = {"key": key, "complete": False, "outputs": dict.fromkeys(outputs, 0)}
        self._entries[stage] = entry
        self._write()

    def finish(self, stage: str, key: str, outputs: Sequence[str]) -> None:
        """Write that a stage is complete, with the sizes of its outputs in bytes."""
        sizes = {name: _sizes(self.folder / name) for name in outputs}
        self._entries[stage] = {"key": key, "complete": True, "outputs": sizes}
        self._write()

    def _write(self) -> None:
        content = {"format": FORMAT, **self._facts, "stages": self._entries}
        with replacing(self.folder / FILE) as partial:
            partial.write_text(json.dumps(content, indent=1, default=repr), encoding="utf-8")


def _sizes(path: Path) -> Any:
    """Return the size of a file, or those of the files in a folder; None if it is not there."""
    if path.is_dir():
        inner = sorted(one for one in path.rglob("*") if one.is_file())
        return {str(one.relative_to(path)): one.stat().st_size for one in inner}
    return path.stat().st_size if path.exists() else None
