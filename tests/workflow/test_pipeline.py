"""A run from files to results: what is written, what is skipped, and what a failure leaves."""

import errno
import functools
import json
import os
import signal
from pathlib import Path
from typing import Any

import anndata as ad
import mudata
import numpy as np
import pandas as pd
import pytest
from lightning.pytorch import Callback

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.model import HZAUVAE
from hzau_omics.workflow import stages

ALL = {
    "cluster": False,
    "impute": "adt",
    "h5ad": ["rna"],
    "de": [{"modality": "rna", "groupby": "kind"}],
}


def told(lines: list[str]) -> list[str]:
    """Return which stages a run told of."""
    return [line.split(":")[0] for line in lines]


def test_a_run_writes_all_that_is_asked_for(
    files: list[Path], config: dict[str, Any], tmp_path: Path, lines: list[str]
) -> None:
    out = tmp_path / "out"
    setup = {"batch_key": "batch"}
    found = ho.run(files, {**config, "setup": setup, "results": ALL}, out, tell=lines.append)
    names = [
        "model", "history.csv", "cells.h5mu", "imputed_adt.h5ad", "rna.h5ad", "cells.csv",
        "latents.csv", "de_1_rna.csv", "report.html", "run.json",
    ]  # fmt: skip
    assert found["files"] == names
    assert sorted(one.name for one in out.iterdir()) == sorted(names)
    assert not found["interrupted"]
    assert told(lines) == [
        "read", "set up", "forecast", "train", "annotate", "cells", "impute adt", "export rna",
        "tables", "compare 1", "report",
    ]  # fmt: skip
    assert all("peak memory" in line for line in lines if not line.startswith("forecast"))
    cells = mudata.read_h5mu(out / "cells.h5mu")
    table = pd.read_csv(out / "cells.csv", index_col="cell")
    latents = pd.read_csv(out / "latents.csv", index_col="cell")
    np.testing.assert_allclose(latents, cells.obsm["X_hzau"], rtol=1e-5)
    assert list(table.index) == list(cells.obs_names)
    assert {"hzau_gate_rna", "kind", "hzau_suspicious"} <= set(table)
    for name in ("imputed_adt.h5ad", "rna.h5ad"):
        written = ad.read_h5ad(out / name)
        assert written.obs_names.equals(cells.obs_names)
        assert {"batch", "kind", "hzau_suspicious", "observed"} <= set(written.obs), name
        assert set(written.uns["hzau"]["layers"]) == {one for one in written.layers if one}, name
    imputed = ad.read_h5ad(out / "imputed_adt.h5ad")
    assert imputed.shape == (60, 6)
    assert imputed.uns["hzau"]["X"].startswith("predicted mean of every cell, measured or not")
    assert {"kind"} <= set(ad.read_h5ad(out / "rna.h5ad").obs)
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert set(record["inputs"]) == {str(path) for path in files}
    assert record["settings"]["train"]["seed"] == 0


def test_clusters_are_in_the_cells_and_in_the_tables(
    files: list[Path], config: dict[str, Any], tmp_path: Path, lines: list[str]
) -> None:
    results = {"cluster": True, "n_neighbors": 5, "report": False}
    ho.run(files, {**config, "results": results}, tmp_path / "out", tell=lines.append)
    cells = mudata.read_h5mu(tmp_path / "out" / "cells.h5mu")
    assert cells.obsm["X_hzau_umap"].shape == (60, 2)
    table = pd.read_csv(tmp_path / "out" / "cells.csv", index_col="cell")
    assert {"X_hzau_umap_1", "X_hzau_umap_2", "hzau_cluster"} <= set(table)
    assert any(line.startswith("cluster: ") and " clusters, " in line for line in lines)
    for adata in cells.mod.values():
        own = cells[adata.obs_names]
        np.testing.assert_array_equal(adata.obsm["X_hzau_umap"], own.obsm["X_hzau_umap"])
        assert adata.obs["hzau_cluster"].tolist() == own.obs["hzau_cluster"].tolist()


def test_what_is_done_is_skipped_and_what_changed_is_done_again(
    files: list[Path],
    config: dict[str, Any],
    tmp_path: Path,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    options: dict[str, Any] = {"tell": lines.append, "resume": True}
    ho.run(files, {**config, "results": ALL}, out, **options)
    latents = (out / "latents.csv").read_bytes()

    @functools.wraps(HZAUVAE.train)
    def refuse(*_: Any, **__: Any) -> None:
        pytest.fail("it was trained again")

    monkeypatch.setattr(HZAUVAE, "train", refuse)
    lines.clear()
    ho.run(files, {**config, "results": ALL}, out, **options)
    assert all(line.endswith(": done before") for line in lines)
    # A result that is gone, or is asked for now, is made from the saved model and cells.
    lines.clear()
    (out / "latents.csv").unlink()
    ho.run(files, {**config, "results": {**ALL, "impute": ["adt", "rna"]}}, out, **options)
    assert [line for line in lines if not line.endswith(": done before")] != []
    again = [name for name, line in zip(told(lines), lines, strict=True) if "before" not in line]
    assert again == ["read", "impute rna", "tables"]
    assert (out / "latents.csv").read_bytes() == latents
    # Another option of the model, or another input, concerns all of it.
    for changed in ({**config, "model": {"n_latent": 5, "n_hidden": 16}}, config):
        if changed is config:
            adata = ad.read_h5ad(files[0])
            adata.X[0, 0] = adata.X[0, 0] + 1
            adata.write_h5ad(files[0])
        with pytest.raises(ConfigError, match="holds the complete model of another run"):
            ho.run(files, {**changed, "results": ALL}, out, **options)
        before = {one.name for one in out.iterdir()}
        with pytest.raises(pytest.fail.Exception, match="it was trained again"):
            ho.run(files, {**changed, "results": ALL}, tmp_path / "other", **options)
        assert {one.name for one in out.iterdir()} == before


def test_a_training_that_was_interrupted_is_kept_and_goes_on(
    files: list[Path],
    config: dict[str, Any],
    tmp_path: Path,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    train = {**config["train"], "max_epochs": 6}
    config = {**config, "train": train, "results": {"cluster": False, "report": False}}
    whole = ho.run(files, config, tmp_path / "whole", tell=lambda _: None)
    assert not whole["interrupted"]

    class Stop(Callback):
        def on_train_epoch_start(self, trainer: Any, _: Any) -> None:
            if trainer.current_epoch == 3:
                os.kill(os.getpid(), signal.SIGINT)

    real = HZAUVAE.train

    @functools.wraps(real)
    def train_with_interrupt(self: HZAUVAE, *, callbacks: Any = (), **more: Any) -> None:
        real(self, callbacks=[callbacks, Stop()], **more)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(HZAUVAE, "train", train_with_interrupt)
        found = ho.run(files, config, out, tell=lines.append)
    assert found["interrupted"]
    assert "interrupted after" in lines[-1]
    assert "--resume goes on from there" in lines[-1]
    assert HZAUVAE.load(out / "model").n_epochs_trained_ < 6
    assert (out / "checkpoints" / "last.ckpt").is_file()
    with pytest.raises(ConfigError, match="holds the results of a run; add --resume"):
        ho.run(files, config, out, tell=lines.append)
    lines.clear()
    found = ho.run(files, config, out, tell=lines.append, resume=True)
    assert not found["interrupted"]
    assert "forecast" not in told(lines)
    assert HZAUVAE.load(out / "model").n_epochs_trained_ == 6
    assert not (out / "checkpoints").exists()


def test_a_training_that_was_killed_goes_on_to_the_same_result(
    files: list[Path], config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = {**config["train"], "max_epochs": 4}
    config = {**config, "train": train, "results": {"cluster": False, "report": False}}
    quiet: dict[str, Any] = {"tell": lambda _: None}
    ho.run(files, config, tmp_path / "whole", **quiet)

    class Kill(Callback):
        def on_train_epoch_start(self, trainer: Any, _: Any) -> None:
            if trainer.current_epoch == 2:
                raise MemoryError

    real = HZAUVAE.train

    @functools.wraps(real)
    def train_and_die(self: HZAUVAE, *, callbacks: Any = (), **more: Any) -> None:
        real(self, callbacks=[callbacks, Kill()], **more)

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(HZAUVAE, "train", train_and_die)
        with pytest.raises(MemoryError):
            ho.run(files, config, out, **quiet)
    assert not (out / "model").exists()
    ho.run(files, config, out, resume=True, **quiet)
    whole, parts = (
        pd.read_csv(one / "latents.csv", index_col=0) for one in (tmp_path / "whole", out)
    )
    np.testing.assert_allclose(parts, whole, atol=1e-5)


def test_only_the_first_of_several_processes_writes_and_tells(
    files: list[Path],
    config: dict[str, Any],
    tmp_path: Path,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("hzau_omics.workflow.pipeline.is_first_process", lambda: False)
    out = tmp_path / "out"
    found = ho.run(files, config, out, tell=lines.append)
    assert lines == []
    assert found["files"] == []
    assert [one.name for one in out.iterdir()] == ["checkpoints"]


def test_results_of_others_are_not_replaced(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "report.html").write_text("mine", encoding="utf-8")
    for resume in (False, True):
        with pytest.raises(ConfigError, match=r"report\.html exists; add --overwrite"):
            ho.run(files, config, out, resume=resume)
    assert (out / "report.html").read_text(encoding="utf-8") == "mine"
    assert [one.name for one in out.iterdir()] == ["report.html"]


def test_an_input_in_the_place_of_a_result_is_not_replaced(
    files: list[Path], config: dict[str, Any]
) -> None:
    config = {**config, "results": {**config["results"], "h5ad": "rna"}}
    with pytest.raises(ConfigError, match="is the input itself"):
        ho.run(files, config, files[0].parent, overwrite=True)


def test_no_space_left_is_one_line_and_costs_no_model(
    files: list[Path], config: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Any, path: Path) -> None:
        path.write_text("half", encoding="utf-8")
        raise OSError(errno.ENOSPC, "No space left on device")

    out = tmp_path / "out"
    with monkeypatch.context() as patch:
        patch.setattr(mudata.MuData, "write", fail)
        with pytest.raises(OSError, match="no space is left on the device") as error:
            ho.run(files, config, out, tell=lambda _: None)
    assert "the model is saved in" in str(error.value)
    assert "--resume goes on from there" in str(error.value)
    assert sorted(one.name for one in out.iterdir()) == ["history.csv", "model", "run.json"]
    lines: list[str] = []
    ho.run(files, config, out, tell=lines.append, resume=True)
    assert lines[0] == "train: done before"
    assert (out / "cells.h5mu").is_file()


def test_a_table_that_fails_costs_no_other_result(
    files: list[Path],
    config: dict[str, Any],
    tmp_path: Path,
    lines: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "out"
    comparisons = [{"modality": name, "groupby": "kind"} for name in ("rna", "adt")]
    config = {**config, "results": {"cluster": False, "de": comparisons}}

    @functools.wraps(HZAUVAE.differential_expression)
    def fail(self: HZAUVAE, modality: str, *given: Any, **options: Any) -> pd.DataFrame:
        if modality == "rna":
            msg = "no such thing"
            raise ConfigError(msg)
        return original(self, modality, *given, **options)

    original = HZAUVAE.differential_expression
    with monkeypatch.context() as patch:
        patch.setattr(HZAUVAE, "differential_expression", fail)
        with pytest.raises(ConfigError, match=r"but those of compare 1.*no such thing.*--resume"):
            ho.run(files, config, out, tell=lines.append)
    assert "compare 1: failed, the other results are made first" in lines
    assert (out / "report.html").is_file()
    assert (out / "de_2_adt.csv").is_file()
    assert not (out / "de_1_rna.csv").exists()
    ho.run(files, config, out, tell=lines.append, resume=True)
    assert (out / "de_1_rna.csv").is_file()


def test_a_group_of_one_cell_does_not_stop_a_run(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    adata = ad.read_h5ad(files[0])
    kinds = adata.obs["kind"].astype(str).to_numpy()
    kinds[:2] = ["one", "unknown"]
    for path in files:
        adata = ad.read_h5ad(path)
        adata.obs["kind"] = pd.Series(kinds, ad.read_h5ad(files[0]).obs_names)[adata.obs_names]
        adata.write_h5ad(path)
    results = {"cluster": False, "report": False, "de": [{"modality": "rna", "groupby": "kind"}]}
    setup = {"labels_key": "kind", "unlabeled_category": "unknown"}
    with pytest.warns(HzauWarning, match=r"are not compared: 'one' \(1 cell\)\. "):
        ho.run(files, {**config, "setup": setup, "results": results}, tmp_path / "out")
    table = pd.read_csv(tmp_path / "out" / "de_1_rna.csv")
    assert set(table["group1"]) == {"even", "odd"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modalities": {"rnaa": "nb"}}, "names 'rnaa', which the input does not hold"),
        ({"setup": {"batch_key": "batsh"}}, "batsh"),
        ({"modalities": {"rna": {"likelihood": "bernoulli"}, "adt": "nb"}}, "binarize: true"),
        ({"modalities": {"t": {"likelihood": "bernoulli", "column": "none"}}}, "none"),
    ],
)
def test_an_input_that_does_not_fit_is_an_error_of_either_kind(
    files: list[Path], config: dict[str, Any], tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    with pytest.raises(stages.InputError, match=message) as error:
        ho.run(files, {**config, **change}, tmp_path / "out", tell=lambda _: None)
    assert isinstance(error.value, ConfigError)
    assert isinstance(error.value, DataContractError)
    assert str(error.value).startswith("The input does not fit the configuration. ")


def test_data_in_memory_can_be_run_but_not_resumed(config: dict[str, Any], tmp_path: Path) -> None:
    mdata = ho.data.simulate(60, seed=0, n_features={"rna": 12, "adt": 6})
    inputs = dict(mdata.mod)
    config = {**config, "results": {"cluster": False, "report": False, "csv": False}}
    found = ho.run(inputs, config, tmp_path / "out", tell=lambda _: None)
    assert found["files"] == ["model", "history.csv", "cells.h5mu", "run.json"]
    with pytest.raises(ConfigError, match="resume compares files"):
        ho.run(inputs, config, tmp_path / "out", resume=True)


def test_samples_of_a_configuration_are_joined(
    files: list[Path], config: dict[str, Any], tmp_path: Path, lines: list[str]
) -> None:
    (tmp_path / "b").mkdir()
    other = ho.data.simulate(40, seed=1, n_features={"rna": 12, "adt": 6})
    for path in files:
        other[path.stem].write_h5ad(tmp_path / "b" / path.name)
    text = (
        "input: {sample_key: s, samples: {a: [rna.h5ad, adt.h5ad], b: [b/rna.h5ad, b/adt.h5ad]}}\n"
        "modalities: {rna: nb, adt: nb}\n"
        "model: {n_latent: 4, n_hidden: 16}\n"
        "train: {max_epochs: 1, accelerator: cpu}\n"
        "results: {cluster: false, report: false}\n"
    )
    path = tmp_path / "run.yaml"
    path.write_text(text, encoding="utf-8")
    ho.run(None, path, tmp_path / "out", tell=lines.append)
    assert lines[0].startswith("read: 100 cells, ")


@pytest.mark.parametrize(
    ("inputs", "section", "message"),
    [
        ([], {}, "A run needs inputs. Received none"),
        (["a.h5mu"], {"samples": {"a": "a.h5mu"}, "sample_key": "s"}, "Received both"),
        (None, {"samples": {"a": "a.h5mu"}}, "needs input.sample_key"),
    ],
)
def test_inputs_come_from_one_place(
    config: dict[str, Any], tmp_path: Path, inputs: Any, section: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        ho.run(inputs, {**config, "input": section}, tmp_path / "out")


def test_a_missing_input_is_named_before_anything_is_read(
    config: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(FileNotFoundError, match=r"There is no file .*none\.h5mu; check the path"):
        ho.run([tmp_path / "none.h5mu"], config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
