"""From inputs and a configuration to a folder of results."""

import json
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from hzau_omics.checks import check_flag, check_path
from hzau_omics.errors import ConfigError
from hzau_omics.processes import is_first_process
from hzau_omics.workflow.columns import check_replaced
from hzau_omics.workflow.files import HISTORY, MODEL_FOLDER
from hzau_omics.workflow.inputs import Inputs, digests_of, inputs_of, paths_of, structure_of
from hzau_omics.workflow.progress import Progress, Tell, on_stderr
from hzau_omics.workflow.record import FILE, Record, digest
from hzau_omics.workflow.settings import PROGRESS, Settings, settings_of
from hzau_omics.workflow.stages import CELLS, REPORT, Interrupted, Job
from hzau_omics.workflow.writing import check_outputs, is_about_files, new_folder


@dataclass(frozen=True)
class Stage:
    """A stage that writes files.

    Attributes
    ----------
    name
        Its name in the record.
    outputs
        Names of the files and folders that it writes.
    depends
        Stage whose key it depends on; None for the inputs.
    options
        Settings that it depends on.
    make
        What does it; returns what it says in words.
    """

    name: str
    outputs: tuple[str, ...]
    depends: str | None
    options: Any
    make: Callable[[Job], str]


def run(
    inputs: Inputs,
    config: Mapping[str, Any] | str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    command: str = "",
    tell: Tell = on_stderr,
) -> dict[str, Any]:
    """Read, check, set up, train, annotate, cluster, report and export, as a configuration says.

    Parameters
    ----------
    inputs
        Whatever :func:`hzau_omics.data.read` takes; None if the configuration names samples.
    config
        A YAML file, or the same as a mapping; the sections are explained in docs/run.md. Paths in a
        file are relative to its folder.
    out
        Folder of the results.
    resume
        Whether to skip stages that an earlier run of the same inputs and settings completed, and to
        go on with a training that was stopped.
    overwrite
        Whether to replace results that are there.
    command
        How the run was called, for the report.
    tell
        Takes one line per stage; stderr by default.

    Returns
    -------
    dict
        ``out``, ``files`` (names of all results), ``seconds`` of each stage of this call, and
        ``interrupted`` (whether somebody stopped the training).

    Raises
    ------
    ConfigError
        An option is unknown, the input does not fit the configuration (then also a
        `DataContractError`), or results are there and must not be replaced.
    DataContractError
        A file cannot be read.
    OSError
        Something cannot be written; the message says whether the model is saved.
    """
    folder = check_path("out", out)
    resume, overwrite = check_flag("resume", resume), check_flag("overwrite", overwrite)
    settings = settings_of(config)
    check_replaced(settings)
    inputs = inputs_of(inputs, settings.input)
    paths = paths_of([inputs, settings.input.get("tables")])
    digests = {} if paths is None else digests_of(paths)
    if paths is None and resume:
        msg = "resume compares files. Received data in memory: write them, or leave resume out."
        raise ConfigError(msg)
    stages = stages_of(settings)
    # What is in memory has no name that a later run could compare.
    structure = None if paths is None else structure_of(inputs, digests)
    keys = keys_of(stages, [structure, digests], settings)
    facts = {"command": command, "inputs": digests, "settings": _plain(settings)}
    record = Record.open(folder, facts, resume=resume)
    first = is_first_process()
    progress = Progress(tell if first else lambda _: None)
    if first:
        _check_folder(stages, record, paths or [], keys, overwrite=overwrite)
    job = Job(inputs, settings, folder, command, record, progress, keys, first)
    with new_folder(folder) if first else nullcontext():
        interrupted = _make_all(stages, job)
    names = [*(name for stage in stages for name in stage.outputs), FILE]
    return {
        "out": folder,
        "files": [name for name in names if (folder / name).exists()],
        "seconds": progress.seconds,
        "interrupted": interrupted,
    }


def stages_of(settings: Settings) -> list[Stage]:
    """Return the stages that write files, in their order."""
    results = settings.results
    model = [_plain(settings)[name] for name in ("modalities", "setup", "model", "train")]
    clusters = [results.cluster, results.n_neighbors, results.resolution]
    stages = [Stage("train", (MODEL_FOLDER, HISTORY), None, model, Job.train)]
    if results.h5mu:
        stages.append(Stage("cells", (CELLS,), "train", clusters, Job.write_cells))
    for name in results.impute:
        target = f"imputed_{name}.h5ad"
        make = partial(Job.impute, name=name, target=target)
        stages.append(Stage(f"impute {name}", (target,), "train", [clusters, name], make))
    for name in results.h5ad:
        target = f"{name}.h5ad"
        make = partial(Job.export, name=name, target=target)
        stages.append(Stage(f"export {name}", (target,), "train", clusters, make))
    if results.csv:
        tables = ("cells.csv", "latents.csv")
        make = partial(Job.write_tables, cells=tables[0], latents=tables[1])
        stages.append(Stage("tables", tables, "train", clusters, make))
    for i, one in enumerate(results.de, start=1):
        target = f"de_{i}_{one['modality']}.csv"
        make = partial(Job.compare, options=one, target=target)
        stages.append(Stage(f"compare {i}", (target,), "train", [clusters, dict(one)], make))
    if results.report:
        options = [clusters, results.title]
        stages.append(Stage("report", (REPORT,), "train", options, Job.report))
    return stages


def keys_of(stages: list[Stage], inputs: object, settings: Settings) -> dict[str, str]:
    """Return a digest of all that each stage depends on; `inputs` tells which content is what."""
    from hzau_omics.model.version import MODEL_VERSION

    start = digest(MODEL_VERSION, inputs, _plain(settings)["input"])
    keys: dict[str, str] = {}
    for stage in stages:
        former = start if stage.depends is None else keys[stage.depends]
        keys[stage.name] = digest(former, stage.name, stage.options)
    return keys


def _make_all(stages: list[Stage], job: Job) -> bool:
    """Make all that is not done; return whether somebody stopped it.

    A result that cannot be made does not keep others from it: the error comes at the end.
    """
    failed: dict[str, Exception] = {}
    for stage in stages:
        if job.is_done(stage.name):
            job.progress.skip(stage.name)
            continue
        if stage.depends is not None:
            # What all results share would fail for each of them.
            _ = job.annotated
        try:
            with job.progress.stage(stage.name) as tell:
                tell(stage.make(job))
        except Interrupted as stopped:
            job.progress.tell(f"{stage.name}: {stopped}")
            return True
        except Exception as error:
            if stage.depends is None or is_about_files(error):
                raise
            failed[stage.name] = error
            job.progress.tell(f"{stage.name}: failed, the other results are made first")
            continue
        # Others of several processes only help to train.
        if not job.writes:
            break
        job.record.finish(stage.name, job.keys[stage.name], stage.outputs)
    if failed:
        first, *_ = failed.values()
        told = " ".join(f"{name}: {error}" for name, error in failed.items())
        msg = f"All results are written but those of {', '.join(failed)}. {told}"
        raise type(first)(msg) from first
    return False


def _check_folder(
    stages: list[Stage],
    record: Record,
    sources: list[Path],
    keys: Mapping[str, str],
    *,
    overwrite: bool,
) -> None:
    """Refuse to replace what another run, or somebody else, put into the folder."""
    folder = record.folder
    if (folder / FILE).exists() and not overwrite and not record.is_of_earlier_run:
        msg = (
            f"{folder} holds the results of a run; add --resume to go on with it, --overwrite to "
            "replace it, or change --out"
        )
        raise ConfigError(msg)
    first = stages[0].name
    if record.replaces(first, keys[first]) and not overwrite:
        msg = (
            f"{folder} holds the complete model of another run: its inputs, their names, or its "
            "settings differ from those given. Give the same as before, add --overwrite to "
            "replace all results, or change --out"
        )
        raise ConfigError(msg)
    outputs = [name for stage in stages for name in stage.outputs]
    foreign = [folder / name for name in outputs if not record.wrote(name)]
    check_outputs(foreign, sources, overwrite=overwrite)
    check_outputs([folder / name for name in outputs], sources, overwrite=True)


def _plain(settings: Settings) -> dict[str, Any]:
    """Return the settings as plain values; progress bars change no result."""
    train = {name: one for name, one in settings.train.items() if name != PROGRESS}
    modalities = {
        name: {**vars(one), "spec": one.spec.to_dict(), "text": dict(one.text)}
        for name, one in settings.modalities.items()
    }
    plain = {
        "input": dict(settings.input),
        "modalities": modalities,
        "setup": dict(settings.setup),
        "model": dict(settings.model),
        "train": train,
        "results": vars(settings.results),
    }
    found: dict[str, Any] = json.loads(json.dumps(plain, default=repr))
    return found
