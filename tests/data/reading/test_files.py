"""Files that cannot be read: each is told in one line, with a remedy."""

import gzip

import h5py
import pytest

import hzau_omics as ho
from hzau_omics.errors import ConfigError, DataContractError


def test_a_missing_file_is_told_with_the_closest_name(cite):
    path, _ = cite
    with pytest.raises(FileNotFoundError, match=r"Did you mean 'filtered_feature_bc_matrix.h5'"):
        ho.data.read(path.with_name("filtered_feature_bc_matrx.h5"))


@pytest.mark.parametrize(
    ("name", "content", "error", "message"),
    [
        ("cells.loom", b"x", ConfigError, r"Read it with its own reader"),
        ("cells.txt", b"x", ConfigError, r"Received .*cells.txt"),
        ("cells.h5ad", b"", DataContractError, "of 0 bytes"),
        ("cells.h5ad", b"no hdf5", DataContractError, "cannot be read as an AnnData"),
        ("cells.h5mu", b"no hdf5", DataContractError, "cannot be read as a MuData"),
        ("cells.h5", b"no hdf5", DataContractError, "cannot be read as an HDF5 file"),
        ("notes.csv", "cell,note\na,\xe9".encode("latin1"), DataContractError, "Save it as UTF-8"),
        ("notes.csv.gz", b"no gzip", DataContractError, "cannot be read as a table"),
    ],
)
def test_a_file_that_is_no_data_is_refused(tmp_path, name, content, error, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(error, match=message) as caught:
        ho.data.read([tmp_path / name])
    assert "\n" not in str(caught.value)


def test_a_table_without_rows_is_refused(cite):
    path, _ = cite
    notes = path.with_name("notes.csv")
    notes.write_text("cell,note\n")
    with pytest.raises(DataContractError, match="must have rows"):
        ho.data.read([path, notes])


def test_an_h5_file_of_something_else_is_refused(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["values"] = [1, 2]
    with pytest.raises(DataContractError, match="no group 'matrix'"):
        ho.data.read(tmp_path / "other.h5")


def test_an_incomplete_h5_file_is_refused(cite):
    path, _ = cite
    with h5py.File(path, "a") as file:
        del file["matrix/barcodes"]
    with pytest.raises(DataContractError, match="cannot be read as a feature-barcode matrix"):
        ho.data.read(path)


def test_a_file_without_cells_is_refused(lane, tmp_path):
    own = lane()
    own.counts, own.cells = own.counts[:0], []
    with pytest.raises(DataContractError, match="has 0 cells"):
        ho.data.read(own.h5(tmp_path / "empty.h5"))


def test_a_folder_of_something_else_is_refused(tmp_path, cite):
    with pytest.raises(DataContractError, match="must be one of Cell Ranger"):
        ho.data.read(tmp_path / "..")
    outs = tmp_path / "outs"
    (outs / "filtered_feature_bc_matrix").mkdir(parents=True)
    with pytest.raises(DataContractError, match=r"Give what is in it: .*filtered_feature_bc_m"):
        ho.data.read(outs)


def test_a_folder_that_lacks_a_file_is_refused(lane, tmp_path):
    folder = lane().folder(tmp_path / "matrix")
    (folder / "barcodes.tsv.gz").unlink()
    with pytest.raises(DataContractError, match=r"matrix.mtx.gz, but no barcodes.tsv.gz"):
        ho.data.read(folder)


def test_a_folder_of_two_matrices_is_refused(lane, tmp_path):
    folder = lane().folder(tmp_path / "matrix", prefix="a_")
    (folder / "b_matrix.mtx.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(DataContractError, match="put each into a folder"):
        ho.data.read(folder)


def test_a_folder_of_cell_ranger_2_needs_the_name_of_its_modality(lane, tmp_path):
    own = lane({"Gene Expression": ["A", "B"]})
    folder = own.folder(tmp_path / "matrix", compressed=False)
    features = (folder / "features.tsv").read_text()
    (folder / "genes.tsv").write_text(features.replace("\tGene Expression", ""))
    (folder / "features.tsv").unlink()
    with pytest.raises(DataContractError, match="Name the modality"):
        ho.data.read(folder)
    assert (ho.data.read({"rna": folder})["rna"].X.toarray() == own.counts.toarray()).all()


def legacy(path, lanes):
    with h5py.File(path, "w") as file:
        for genome, own in lanes.items():
            group = file.create_group(genome)
            group["barcodes"] = own.cells
            group["data"], group["indices"] = own.counts.data, own.counts.indices
            group["indptr"] = own.counts.indptr
            group["shape"] = own.counts.shape[::-1]
            group["genes"] = list(own.features["id"])
            group["gene_names"] = list(own.features["name"])
    return path


def test_a_file_of_cell_ranger_2_needs_the_name_of_its_modality(lane, tmp_path):
    own = lane({"Gene Expression": ["A", "B"]})
    path = legacy(tmp_path / "old.h5", {"hg19": own})
    with pytest.raises(DataContractError, match="Name the modality"):
        ho.data.read(path)
    assert (ho.data.read({"rna": path})["rna"].X.toarray() == own.counts.toarray()).all()


def test_two_genomes_of_cell_ranger_2_need_a_choice(lane, tmp_path):
    own = {genome: lane({"Gene Expression": ["A", "B"]}) for genome in ("hg19", "mm10")}
    path = legacy(tmp_path / "old.h5", own)
    with pytest.raises(DataContractError, match=r"has hg19, mm10. Choose one"):
        ho.data.read({"rna": path})
    assert ho.data.read({"rna": path}, genome="mm10")["rna"].n_vars == 2
