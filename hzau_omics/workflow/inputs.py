"""The inputs of a run: files or data from the caller, or the samples of a configuration."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.checks import as_list
from hzau_omics.errors import ConfigError
from hzau_omics.messages import listed
from hzau_omics.workflow.record import file_digest

if TYPE_CHECKING:
    from mudata import MuData

Inputs = Any
"""Whatever `hzau_omics.data.read` takes."""


def inputs_of(given: Inputs, section: Mapping[str, Any]) -> Inputs:
    """Return the inputs of a run: those that are given, or the samples of the section ``input``.

    Parameters
    ----------
    given
        Inputs as :func:`hzau_omics.data.read` takes them; None or an empty list for none.
    section
        The section ``input`` of the configuration.

    Raises
    ------
    ConfigError
        There are none, or both.

    Examples
    --------
    >>> inputs_of(["cells.h5mu"], {})
    ['cells.h5mu']
    """
    samples = section.get("samples")
    has_given = given is not None and not (isinstance(given, list | tuple) and not given)
    if has_given and samples:
        msg = (
            "Inputs come from the call or from input.samples. Received both: leave the files out, "
            "or the samples."
        )
        raise ConfigError(msg)
    if samples and not section.get("sample_key"):
        msg = (
            "input.samples needs input.sample_key, the column of obs that will hold the name of "
            "the sample. For example input: {sample_key: sample, samples: {s1: FILE, s2: FILE}}."
        )
        raise ConfigError(msg)
    if not has_given and not samples:
        msg = "A run needs inputs. Received none: name files, or samples in the section input."
        raise ConfigError(msg)
    return given if has_given else samples


def named_inputs(words: Sequence[str]) -> Inputs:
    """Return the inputs of a command: files, or with names as in ``rna=file.h5ad``.

    A name is that of a modality, or of a sample if the column of samples is given; a sample may
    have several files. A word that is an existing file is a file, whatever its name.

    Raises
    ------
    ConfigError
        Some words have a name, and others have none.

    Examples
    --------
    >>> named_inputs(["a.h5ad", "b.csv"])
    ['a.h5ad', 'b.csv']
    >>> named_inputs(["s1=a.h5", "s2=b.h5", "s2=c.csv"])
    {'s1': 'a.h5', 's2': ['b.h5', 'c.csv']}
    """
    named = [word for word in words if "=" in word and not Path(word).exists()]
    if not named:
        return list(words)
    if len(named) < len(words):
        msg = (
            f"Either all inputs have a name (NAME=FILE) or none. Received {listed(words)}: name "
            "all of them, and tables with --table or in the section input."
        )
        raise ConfigError(msg)
    found: dict[str, list[str]] = {}
    for word in words:
        name, _, path = word.partition("=")
        found.setdefault(name, []).append(path)
    return {name: paths[0] if len(paths) == 1 else paths for name, paths in found.items()}


def paths_of(inputs: Inputs) -> list[Path] | None:
    """Return all paths of the inputs; None if some are data in memory.

    Examples
    --------
    >>> paths_of({"s1": ["rna.h5ad", "adt.h5ad"], "s2": "both.h5"})
    [PosixPath('rna.h5ad'), PosixPath('adt.h5ad'), PosixPath('both.h5')]
    """
    found = list(_leaves(inputs))
    paths = [Path(one) for one in found if isinstance(one, str | Path)]
    return paths if len(paths) == len(found) else None


def digests_of(paths: list[Path]) -> dict[str, str]:
    """Return the digest of the content of each file.

    Raises
    ------
    FileNotFoundError
        One does not exist.
    """
    return {str(path): file_digest(path) for path in paths}


def structure_of(inputs: Inputs, digests: Mapping[str, str]) -> Any:
    """Return which content was given as what: the inputs with the digest beside each path.

    Parameters
    ----------
    inputs
        Inputs, all of which are paths.
    digests
        Path -> digest of its content.

    Returns
    -------
    Nested lists, which keep the order of samples and modalities.

    Examples
    --------
    >>> structure_of({"rna": "a.h5ad", "adt": ["b.h5ad"]}, {"a.h5ad": "1", "b.h5ad": "2"})
    {'named': [['rna', ['a.h5ad', '1']], ['adt', ['b.h5ad', '2']]]}
    """
    if isinstance(inputs, Mapping):
        named = [[str(name), structure_of(one, digests)] for name, one in inputs.items()]
        return {"named": named}
    if isinstance(inputs, list | tuple):
        found = [structure_of(one, digests) for one in inputs]
        # One file alone means the same in a list.
        return found[0] if len(found) == 1 else found
    return [str(inputs), digests[str(inputs)]]


def read_inputs(inputs: Inputs, section: Mapping[str, Any]) -> "MuData":
    """Read all inputs into one MuData; the one place that calls `hzau_omics.data.read`."""
    import hzau_omics as ho

    if not isinstance(inputs, Mapping):
        inputs = as_list(inputs)
        inputs = inputs[0] if len(inputs) == 1 else inputs
    options = {name: value for name, value in section.items() if name != "samples"}
    return ho.data.read(inputs, **options)


def _leaves(inputs: Inputs) -> Iterator[Any]:
    if isinstance(inputs, Mapping):
        for one in inputs.values():
            yield from _leaves(one)
    elif isinstance(inputs, list | tuple):
        for one in inputs:
            yield from _leaves(one)
    elif inputs is not None:
        yield inputs
