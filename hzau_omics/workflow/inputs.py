"""The inputs of a run: files or data from the caller, or the samples of a configuration."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.checks import as_list
from hzau_omics.data.pitfalls.warning import warn_user
from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.messages import listed
from hzau_omics.workflow.record import file_digest

if TYPE_CHECKING:
    from mudata import MuData

Inputs = Any
"""Whatever `hzau_omics.data.read` takes."""

SAMPLES, UNLINKED = "samples", "allow_unlinked"
"""Options of the section ``input`` that are not those of `hzau_omics.data.read`."""


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
    samples = section.get(SAMPLES)
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
    if section.get("sample_key") and isinstance(given, list | tuple):
        unnamed = [one for one in given if not isinstance(one, Mapping)]
        if len(unnamed) < len(given):
            msg = (
                "With input.sample_key each file has its sample in front, SAMPLE=FILE. Received "
                f"{listed(unnamed)} without: add the sample, and name a table of cells of all "
                "samples in the configuration, input: {tables: FILE}."
            )
            raise ConfigError(msg)
    if not has_given and not samples:
        msg = "A run needs inputs. Received none: name files, or samples in the section input."
        raise ConfigError(msg)
    return given if has_given else samples


def named_inputs(words: Sequence[str]) -> Inputs:
    """Return the inputs of a command: files, or with names as in ``rna=file.h5ad``.

    A name is that of a modality, or of a sample if the column of samples is given; a sample may
    have several files. Files without a name are read as if no other had one. A word that is an
    existing file is a file, whatever its name.

    Examples
    --------
    >>> named_inputs(["a.h5ad", "b.csv"])
    ['a.h5ad', 'b.csv']
    >>> named_inputs(["s1=a.h5", "s2=b.h5", "s2=c.csv"])
    {'s1': 'a.h5', 's2': ['b.h5', 'c.csv']}
    >>> named_inputs(["rna=a.h5ad", "prot.h5ad"])
    [{'rna': 'a.h5ad'}, 'prot.h5ad']
    """
    found: dict[str, list[str]] = {}
    unnamed: list[str] = []
    for word in words:
        name, separator, path = word.partition("=")
        if separator and not Path(word).exists():
            found.setdefault(name, []).append(path)
        else:
            unnamed.append(word)
    named = {name: paths[0] if len(paths) == 1 else paths for name, paths in found.items()}
    if named and unnamed:
        return [named, *unnamed]
    return named or unnamed


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
    options = {name: value for name, value in section.items() if name not in {SAMPLES, UNLINKED}}
    return ho.data.read(inputs, **options)


def check_used(
    mdata: "MuData", inputs: Inputs, modalities: Iterable[str], *, sample_key: str | None
) -> None:
    """Refuse a file that nothing is made of, and warn of modalities that are left out.

    Parameters
    ----------
    mdata
        Cells as they were read.
    inputs
        What they were read from.
    modalities
        Names of the modalities that the configuration lists.
    sample_key
        Column of the samples, if there are any: names of inputs are then those of samples.

    Raises
    ------
    DataContractError
        A modality with the name of a file, or with a name that was given, is not listed.

    Warns
    -----
    HzauWarning
        A modality that a file holds beside others is not listed.
    """
    listed_ones = list(modalities)
    left = [name for name in mdata.mod if name not in listed_ones]
    if not left:
        return
    paths = [Path(one) for one in _leaves(inputs) if isinstance(one, str | Path)]
    files = {one.stem: str(one) for one in paths if one.suffix == ".h5ad"}
    files |= {name: f"{name}={path}" for name, path in _given_names(inputs)}
    for name in left:
        if name in files:
            another = (
                "if it is another sample, give it another name in front (NAME=FILE)"
                if sample_key is not None
                else "to read it as another modality, put NAME= in front"
            )
            msg = (
                f"Each file must be of a modality that the configuration lists. {files[name]} was "
                f"read as {name!r}; listed: {listed(listed_ones, limit=20)}. Add {name!r} to "
                f"modalities, or leave the file out; {another}."
            )
            raise DataContractError(msg)
    sizes = [f"{name!r} ({mdata.mod[name].n_vars:,} features)" for name in left]
    warn_user(
        f"The input holds modalities that the configuration does not list, and they are left out: "
        f"{', '.join(sizes)}. Add them to modalities to use them."
    )


def _given_names(inputs: Inputs) -> Iterator[tuple[str, Any]]:
    """Yield names in front of single files, which may be those of modalities."""
    if isinstance(inputs, Mapping):
        for name, one in inputs.items():
            yield from _given_names(one)
            if isinstance(one, str | Path):
                yield str(name), one
    elif isinstance(inputs, list | tuple):
        for one in inputs:
            yield from _given_names(one)


def _leaves(inputs: Inputs) -> Iterator[Any]:
    if isinstance(inputs, Mapping):
        for one in inputs.values():
            yield from _leaves(one)
    elif isinstance(inputs, list | tuple):
        for one in inputs:
            yield from _leaves(one)
    elif inputs is not None:
        yield inputs
