"""The stages of a run: each reads what it needs, and says in words what it did."""

import shutil
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hzau_omics.errors import ConfigError, DataContractError
from hzau_omics.files import replacing
from hzau_omics.workflow.clusters import CLUSTERS, UMAP
from hzau_omics.workflow.columns import check_compared
from hzau_omics.workflow.exports import export
from hzau_omics.workflow.files import (
    HISTORY,
    MODEL_FOLDER,
    load_model,
    read_mudata,
    save_model,
    warn_of_names,
    write_history,
    write_imputed,
    write_mudata,
)
from hzau_omics.workflow.inputs import UNLINKED, Inputs, check_used, paths_of, read_inputs
from hzau_omics.workflow.modality import prepare, specs_of
from hzau_omics.workflow.progress import Progress
from hzau_omics.workflow.record import Record
from hzau_omics.workflow.settings import Settings
from hzau_omics.workflow.tables import cells_table, latents_table
from hzau_omics.workflow.writing import attempt

if TYPE_CHECKING:
    from mudata import MuData

    from hzau_omics.model import HZAUVAE

CELLS, REPORT, CHECKPOINTS = "cells.h5mu", "report.html", "checkpoints"
RESUME = "--resume goes on from there."


class InputError(DataContractError, ConfigError):
    """The input does not fit the configuration."""


class Interrupted(Exception):
    """Somebody stopped the training; what was trained is saved."""


@dataclass
class Job:
    """A run: its inputs and settings, and what was made until now.

    Attributes
    ----------
    inputs, settings, folder, command
        What is read, how, where results go, and how the run was called.
    record, progress
        What is done, and where this is told.
    keys
        Stage -> digest of all that it depends on.
    writes
        Whether this process writes files: of several that train together, the first one.
    """

    inputs: Inputs
    settings: Settings
    folder: Path
    command: str
    record: Record
    progress: Progress
    keys: Mapping[str, str]
    writes: bool = True

    def is_done(self, stage: str) -> bool:
        """Return whether an earlier run completed a stage."""
        return stage in self.keys and self.record.is_done(stage, self.keys[stage])

    @cached_property
    def mdata(self) -> "MuData":
        """The cells: as an earlier run annotated them, or as they are read."""
        with self.progress.stage("read") as tell:
            # Cells of a former model are no input of the next one.
            if self.is_done("train") and self.is_done("cells"):
                found = read_mudata(self.folder / CELLS)
            else:
                found = read_inputs(self.inputs, self.settings.input)
                with _fitting():
                    found = prepare(found, self.settings.modalities, self.settings.setup)
                    check_used(
                        found,
                        self.inputs,
                        self.settings.modalities,
                        sample_key=self.settings.input.get("sample_key"),
                    )
            with _fitting():
                check_compared(found, self.settings)
            sizes = [f"{name} ({one.n_obs:,} x {one.n_vars:,})" for name, one in found.mod.items()]
            tell(f"{found.n_obs:,} cells, {', '.join(sizes)}")
        return found

    @cached_property
    def model(self) -> "HZAUVAE":
        """The trained model, with its cells."""
        return load_model(self.folder, self.mdata)

    @cached_property
    def annotated(self) -> "MuData":
        """The cells with all annotations."""
        mdata, model = self.mdata, self.model
        if self.is_done("cells"):
            return mdata
        results = self.settings.results
        with self.progress.stage("annotate"), self._attempt("annotate the cells"):
            model.annotate(mdata)
        if results.cluster:
            from hzau_omics.workflow.clusters import add_clusters

            with self.progress.stage("cluster") as tell, self._attempt("cluster the cells"):
                n = add_clusters(
                    mdata,
                    n_neighbors=results.n_neighbors,
                    resolution=results.resolution,
                    seed=self.settings.seed,
                )
                tell(f"{n} clusters")
        return mdata

    def train(self) -> str:
        """Set up, train and save the model."""
        mdata = self.mdata
        warn_of_names(mdata)
        with self.progress.stage("set up"):
            model = _set_up(mdata, self.settings)
        options = self.settings.train
        checkpoint = self.folder / CHECKPOINTS / "last.ckpt"
        going_on = self.record.is_begun("train", self.keys["train"]) and checkpoint.exists()
        if self.writes:
            if not going_on:
                shutil.rmtree(checkpoint.parent, ignore_errors=True)
                self._forecast(model, options)
            self.record.begin("train", self.keys["train"], [MODEL_FOLDER, HISTORY])
        stopped = _train(model, options, checkpoint, resume=going_on)
        self.model = model
        if not self.writes:
            return ""
        saved = save_model(model, self.folder, overwrite=True)
        with self._attempt("remove the results of the former model"):
            self.record.remove_stale(
                paths_of([self.inputs, self.settings.input.get("tables")]) or ()
            )
        write_history(model.history, self.folder, saved, remedy=RESUME)
        said = f"{model.n_epochs_trained_} epochs"
        if stopped:
            msg = f"interrupted after {said}; the model is saved in {saved}. {RESUME}"
            raise Interrupted(msg)
        shutil.rmtree(checkpoint.parent, ignore_errors=True)
        return said

    def write_cells(self) -> str:
        """Write the annotated cells."""
        write_mudata(self.annotated, self.folder / CELLS, saved=self._saved, remedy=RESUME)
        return CELLS

    def impute(self, name: str, target: str) -> str:
        """Predict all values of a modality."""
        annotated = self.annotated
        with self._attempt(f"impute {name}"):
            imputed = self.model.impute(name, seed=self.settings.seed)
        write_imputed(self.folder / target, name, imputed, annotated)
        return target

    def export(self, name: str, target: str) -> str:
        """Write a modality with its features for other programs."""
        annotated = self.annotated
        with self._attempt(f"write {target}"), replacing(self.folder / target) as partial:
            adata = export(self.model, annotated, name, seed=self.settings.seed)
            adata.write_h5ad(partial)
        return target

    def write_tables(self, cells: str, latents: str) -> str:
        """Write the annotations of the cells as tables."""
        annotated = self.annotated
        for target, table in ((cells, cells_table), (latents, latents_table)):
            with self._attempt(f"write {target}"), replacing(self.folder / target) as partial:
                table(annotated).to_csv(partial)
        return f"{cells}, {latents}"

    def compare(self, options: Mapping[str, Any], target: str) -> str:
        """Write one table of differential expression."""
        annotated = self.annotated
        with self._attempt(f"write {target}"), replacing(self.folder / target) as partial:
            table = differences(self.model, annotated, {"seed": self.settings.seed, **options})
            table.to_csv(partial)
        return target

    def report(self) -> str:
        """Write the report."""
        annotated = self.annotated
        results = self.settings.results
        with self._attempt(f"write {REPORT}"):
            write_report(
                self.model,
                annotated,
                self.folder / REPORT,
                labels_key=self.settings.setup.get("labels_key"),
                cluster_key=CLUSTERS if results.cluster else None,
                basis=UMAP if results.cluster else None,
                title=results.title,
                command=self.command,
                seed=self.settings.seed,
            )
        return REPORT

    @property
    def _saved(self) -> Path:
        return self.folder / MODEL_FOLDER

    def _attempt(self, step: str) -> AbstractContextManager[None]:
        return attempt(step, saved=self._saved, remedy=RESUME)

    def _forecast(self, model: "HZAUVAE", options: Mapping[str, Any]) -> None:
        """Tell what the training will need; with several processes no trial can be taken back."""
        from hzau_omics.workflow.forecast import forecast

        alone = options.get("devices", "auto") in {"auto", "1", 1}
        if alone and options.get("num_nodes", 1) == 1:
            results = self.settings.results
            found = forecast(model, options, impute=results.impute, export=results.h5ad)
            self.progress.tell(str(found))


def write_report(model: "HZAUVAE", mdata: "MuData", target: Path, **options: Any) -> None:
    """Write a report; the one place that calls `report` of a model."""
    given = {name: value for name, value in options.items() if value is not None}
    model.report(target, mdata, **given)


def differences(model: "HZAUVAE", mdata: "MuData", options: Mapping[str, Any]) -> Any:
    """Return a table; the one place that calls `differential_expression` of a model."""
    return model.differential_expression(mdata=mdata, **options)


def _set_up(mdata: "MuData", settings: Settings) -> "HZAUVAE":
    from hzau_omics.model import HZAUVAE

    allowed = settings.input.get(UNLINKED, False)
    with _fitting(), nullcontext() if allowed else _linked():
        HZAUVAE.setup_mudata(mdata, specs_of(settings.modalities), **settings.setup)
        return HZAUVAE(mdata, **settings.model)


def _train(model: "HZAUVAE", options: Mapping[str, Any], checkpoint: Path, *, resume: bool) -> bool:
    """Train, with a checkpoint per epoch; return whether somebody stopped it."""
    from hzau_omics.workflow.forecast import Watch

    watch = Watch()
    model.train(
        **options,
        callbacks=watch,
        checkpoint_dir=checkpoint.parent,
        resume_from=checkpoint if resume else None,
    )
    return watch.interrupted


@contextmanager
def _linked() -> Iterator[None]:
    """Refuse modalities that no cell links: in a run this is nearly always a mistake in names."""
    from hzau_omics.data.pitfalls.links import UnlinkedWarning

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UnlinkedWarning)
            yield
    except UnlinkedWarning as found:
        msg = (
            f"{found} Compare the names of cells in the files: without the name of the sample, "
            "the modality or a suffix such as -1 they must be the same. If the cells are of "
            f"different experiments: input: {{{UNLINKED}: true}}."
        )
        raise DataContractError(msg) from None


@contextmanager
def _fitting() -> Iterator[None]:
    """Name the configuration in errors of data that do not fit it."""
    try:
        yield
    except DataContractError as error:
        msg = f"The input does not fit the configuration. {error}"
        raise InputError(msg) from error
