"""``run.json``: what was done to what, so that a run that stopped can go on."""

import hashlib
import json
import shutil
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
    stale
        Outputs of a former model with their sizes, which go when a new model takes its place.
    """

    def __init__(
        self,
        folder: Path,
        entries: Mapping[str, Any],
        facts: Mapping[str, Any],
        stale: Mapping[str, Any],
    ) -> None:
        self.folder = folder
        self._entries: dict[str, Any] = dict(entries)
        self._facts = dict(facts)
        self._stale: dict[str, Any] = dict(stale)

    @classmethod
    def open(cls, folder: Path, facts: Mapping[str, Any], *, resume: bool) -> "Record":
        """Return the record of a folder; one without stages unless a run is to go on.

        Raises
        ------
        ConfigError
            The file is not a record of this format.
        """
        path = folder / FILE
        if not path.exists():
            return cls(folder, {}, facts, {})
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if found["format"] != FORMAT:
                raise KeyError
            entries, stale = found["stages"], found.get("stale", {})
            former = {**stale, **_outputs(entries)}
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            if not resume:
                return cls(folder, {}, facts, {})
            msg = (
                f"{path} is not a record of format {FORMAT}, so the run cannot go on. Leave "
                "--resume out, and add --overwrite to replace what is there."
            )
            raise ConfigError(msg) from error
        return cls(folder, entries, facts, stale) if resume else cls(folder, {}, facts, former)

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

    def replaces(self, stage: str, key: str) -> bool:
        """Return whether a stage was completed for another key, and its outputs are there."""
        entry = self._entries.get(stage, {})
        return (
            entry.get("key", key) != key
            and bool(entry.get("complete"))
            and any((self.folder / name).exists() for name in entry["outputs"])
        )

    def wrote(self, name: str) -> bool:
        """Return whether an output is of an earlier stage of this run, and may be replaced."""
        return self.is_of_earlier_run and name in {**self._stale, **_outputs(self._entries)}

    def begin(self, stage: str, key: str, outputs: Sequence[str] = ()) -> None:
        """Write that the first stage begins, so that nothing that follows from it is done.

        Parameters
        ----------
        stage
            The stage, on which all others depend.
        key
            Digest of all that it depends on.
        outputs
            Names of outputs that may be there before the stage is complete.
        """
        self._stale |= _outputs(self._entries)
        entry = {"key": key, "complete": False, "outputs": dict.fromkeys(outputs, 0)}
        self._entries = {stage: entry}
        self._write()

    def remove_stale(self, keep: Sequence[Path] = ()) -> None:
        """Remove what followed from the former model, as far as nobody else has changed it.

        Parameters
        ----------
        keep
            Files that stay in any case, such as inputs.
        """
        kept = {path.resolve() for path in keep}
        kept |= {(self.folder / name).resolve() for name in _outputs(self._entries)}
        for name, size in self._stale.items():
            path = self.folder / name
            # A name is never a path that leads out of the folder.
            is_own = name == path.name and path.exists() and _sizes(path) == size
            if not is_own or path.resolve() in kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        self._stale = {}
        self._write()

    def finish(self, stage: str, key: str, outputs: Sequence[str]) -> None:
        """Write that a stage is complete, with the sizes of its outputs in bytes."""
        sizes = {name: _sizes(self.folder / name) for name in outputs}
        self._entries[stage] = {"key": key, "complete": True, "outputs": sizes}
        self._write()

    def _write(self) -> None:
        content = {"format": FORMAT, **self._facts, "stages": self._entries}
        if self._stale:
            content["stale"] = self._stale
        with replacing(self.folder / FILE) as partial:
            partial.write_text(json.dumps(content, indent=1, default=repr), encoding="utf-8")


def _outputs(entries: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs of all stages with their sizes."""
    return {name: size for one in entries.values() for name, size in one["outputs"].items()}


def _sizes(path: Path) -> Any:
    """Return the size of a file, or those of the files in a folder; None if it is not there."""
    if path.is_dir():
        inner = sorted(one for one in path.rglob("*") if one.is_file())
        return {str(one.relative_to(path)): one.stat().st_size for one in inner}
    return path.stat().st_size if path.exists() else None
