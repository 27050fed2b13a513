"""Files of a run: names in front of them, files that are not used, and cells that nothing links."""

from pathlib import Path
from typing import Any

import anndata as ad
import mudata
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError, HzauWarning
from hzau_omics.workflow.inputs import inputs_of, named_inputs, paths_of, read_inputs

QUIET = {"cluster": False, "report": False, "csv": False}


def test_one_name_among_files_is_enough(files: list[Path], tmp_path: Path) -> None:
    rna = files[0].rename(tmp_path / "GSM1_counts.h5ad")
    table = tmp_path / "notes.csv"
    names = ad.read_h5ad(rna).obs_names
    table.write_text("cell,note\n" + "".join(f"{one},good\n" for one in names), encoding="utf-8")
    inputs = named_inputs([f"rna={rna}", str(files[1]), str(table)])
    assert paths_of(inputs) == [rna, files[1], table]
    mdata = read_inputs(inputs, {})
    assert list(mdata.mod) == ["rna", "adt"]
    assert mdata.obs["note"].eq("good").all()


def test_a_file_without_a_sample_among_samples_is_refused() -> None:
    inputs = named_inputs(["d1=a.h5", "notes.csv"])
    with pytest.raises(ConfigError, match=r"Received 'notes.csv' without.*input: \{tables: FILE"):
        inputs_of(inputs, {"sample_key": "donor"})


def test_two_files_of_one_sample_are_two_modalities_or_refused(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    section = {**config, "input": {"sample_key": "donor"}}
    other = files[0].with_name("rna_second.h5ad")
    adata = ad.read_h5ad(files[0])
    adata.obs_names = [f"b_{name}" for name in adata.obs_names]
    adata.write_h5ad(other)
    given = named_inputs([f"d1={one}" for one in (*files, other)])
    with pytest.raises(ConfigError, match=r"rna_second.h5ad was read as 'rna_second'.*NAME=FILE"):
        ho.run(given, section, out, tell=lambda _: None)
    assert not out.exists()
    with pytest.raises(ConfigError, match=r"was read as 'adt'; listed: 'rna'. Add 'adt' to modal"):
        ho.run(files, {**config, "modalities": {"rna": "nb"}}, out, tell=lambda _: None)


def test_modalities_that_are_not_listed_are_told_of(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    source = tmp_path / "cells.h5mu"
    mudata.MuData({one.stem: ad.read_h5ad(one) for one in files}).write(source)
    config = {**config, "modalities": {"rna": "nb"}, "results": QUIET}
    with pytest.warns(HzauWarning, match=r"are left out: 'adt' \(6 features\)"):
        ho.run(source, config, tmp_path / "out", tell=lambda _: None)


def test_cells_that_nothing_links_stop_a_run_before_training(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    adata = ad.read_h5ad(files[1])
    adata.obs_names = [f"other-{i}" for i in range(adata.n_obs)]
    adata.write_h5ad(files[1])
    out = tmp_path / "out"
    config = {**config, "results": QUIET}
    with pytest.raises(DataContractError, match=r"No cell links.*allow_unlinked: true") as error:
        ho.run(files, config, out, tell=lambda _: None)
    assert str(error.value).startswith("The input does not fit the configuration. ")
    assert not out.exists()
    with pytest.warns(HzauWarning, match="No cell links"):
        ho.run(files, {**config, "input": {"allow_unlinked": True}}, out, tell=lambda _: None)
    assert (out / "model").is_dir()


def test_a_key_that_is_misspelt_is_suggested_as_the_configuration_needs_it(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    setup = {"batch_key": "bacth"}
    with pytest.raises(DataContractError, match=r"Did you mean 'batch'\?"):
        ho.run(files, {**config, "setup": setup}, tmp_path / "out", tell=lambda _: None)


def test_features_of_no_batch_are_marked_without_python(
    files: list[Path], config: dict[str, Any], tmp_path: Path
) -> None:
    mdata = ho.data.simulate(300, seed=0, n_batches=2, n_features={"rna": 12, "adt": 6})
    values = mdata["adt"].X.toarray()
    values[(mdata.obs["batch"] == "batch_1").to_numpy(), 0] = 0
    mdata["adt"].X = values
    source = tmp_path / "cells.h5mu"
    mdata.write(source)
    modalities = {"rna": "nb", "adt": {"likelihood": "nb", "mark_unmeasured": True}}
    config = {**config, "modalities": modalities, "results": {**QUIET, "h5mu": True}}
    with pytest.raises(ConfigError, match=r"no batch_key and no panel_key.*panel_key: measured"):
        ho.run(source, config, tmp_path / "out", tell=lambda _: None)
    setup = {"batch_key": "batch", "panel_key": "measured"}
    ho.run(source, {**config, "setup": setup}, tmp_path / "out", tell=lambda _: None)
    var = mudata.read_h5mu(tmp_path / "out" / "cells.h5mu")["adt"].var
    assert list(var["measured_batch_1"]) == [False] + 5 * [True]
