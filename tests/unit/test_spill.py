"""Arrays in files: their values, their errors, and that no file has a name."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from ramify.errors import InputError
from ramify.index.shape import balanced_shape, cut_plan
from ramify.kernels.cluster import KMeansConfig, balanced_order
from ramify.spill import LEAST_BYTES, Spill

MAPS = Path("/proc/self/maps")
LARGE = LEAST_BYTES // 4 + 3


@pytest.fixture
def spill(tmp_path):
    return Spill(tmp_path)


def in_file(array):
    """Whether an array lies in a mapped file."""
    address = array.__array_interface__["data"][0]
    for line in MAPS.read_text().splitlines():
        first, last = (int(one, 16) for one in line.split()[0].split("-"))
        if first <= address < last:
            return line.split()[4] != "0"
    return False


def test_large_arrays_are_writable_zeros_in_files_without_names(spill, tmp_path):
    array = spill.empty((LARGE, 2), np.float32)
    assert array.shape == (LARGE, 2)
    assert array.dtype == np.float32
    assert not array.any()
    array[-1] = 3
    assert array[-1].tolist() == [3, 3]
    assert list(tmp_path.iterdir()) == []
    if MAPS.exists():
        assert in_file(array)
        assert not in_file(spill.empty(5, np.int64))


def test_a_growing_vector_is_the_concatenation_of_its_parts(spill, tmp_path):
    parts = [np.arange(n, dtype=np.int32) for n in (3, 0, LARGE, 1)]
    growing = spill.growing(np.int32)
    for part in parts:
        growing.append(part)
    assert len(growing) == LARGE + 4
    np.testing.assert_array_equal(growing.finish(), np.concatenate(parts))
    assert len(spill.growing(np.int32).finish()) == 0
    assert list(tmp_path.iterdir()) == []


def test_rows_are_those_of_the_matrix(spill):
    matrix = sp.random(300, 40, 0.2, format="csr", dtype=np.float32, random_state=0)
    rows = np.array([5, 299, 0, 5])
    taken = spill.rows(matrix, rows)
    assert taken.shape == (4, 40)
    np.testing.assert_array_equal(taken.toarray(), matrix[rows].toarray())


def test_a_full_disk_is_one_sentence(spill, monkeypatch, tmp_path):
    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)
    wanted = (
        rf"^the folder {tmp_path} cannot hold [\d,]+ more bytes of the training \(No space left on device; "
        r"[\d,]+ bytes are free\): free space there, or use another folder"
    )
    with pytest.raises(InputError, match=wanted):
        spill.empty(LARGE, np.float32)
    growing = spill.growing(np.float32)
    monkeypatch.setattr(growing, "_file", type("Full", (), {"write": full})())
    with pytest.raises(InputError, match=wanted):
        growing.append(np.zeros(3))


def test_blocks_are_reserved_by_partial_writes_where_the_system_has_no_call_for_it(spill, monkeypatch, tmp_path):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    written = []

    class Slow:
        """A file that writes at most 1000 bytes at a time."""

        def write(self, data):
            written.append(min(len(data), 1000))
            return written[-1]

    spill._reserve(Slow(), 3_500)
    assert written == [1000, 1000, 1000, 500]
    array = spill.empty(LARGE, np.float32)
    array[-1] = 1
    assert array.sum() == 1


@pytest.mark.parametrize(("kind", "found"), [("tmpfs", "tmpfs"), ("ext4", None)])
def test_a_file_system_in_memory_is_found_by_its_device(spill, monkeypatch, tmp_path, kind, found):
    device = tmp_path.stat().st_dev
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:9999 / /proc rw shared:1 - proc proc rw\n"
        f"23 1 {os.major(device)}:{os.minor(device)} / /tmp rw,nosuid shared:2 - {kind} none rw,size=1k\n"
    )
    monkeypatch.setattr("ramify.spill.MOUNTS", mounts)
    assert spill.in_memory == found
    monkeypatch.setattr("ramify.spill.MOUNTS", tmp_path / "absent")
    assert spill.in_memory is None


def test_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match=r"absent cannot hold data of the training \(No such file or directory\)"):
        Spill(tmp_path / "absent")


def test_clustering_with_vectors_in_files_gives_the_same_order(tmp_path):
    Z = sp.random(4000, 500, 0.2, format="csr", dtype=np.float32, random_state=1)
    plan = cut_plan(balanced_shape(4000, branching=8, max_leaf=50))
    in_memory = balanced_order(Z, plan, KMeansConfig(), threads=2)
    np.testing.assert_array_equal(balanced_order(Z, plan, KMeansConfig(), threads=2, folder=str(tmp_path)), in_memory)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not MAPS.exists(), reason="vectors are in files on Linux only")
def test_clustering_in_a_folder_that_cannot_be_used_is_one_sentence(tmp_path):
    Z = sp.random(4000, 500, 0.2, format="csr", dtype=np.float32, random_state=1)
    plan = cut_plan(balanced_shape(4000, branching=8, max_leaf=50))
    with pytest.raises(InputError, match=r"^the folder .*absent cannot hold \d+ more .*\(No such file or directory\)"):
        balanced_order(Z, plan, KMeansConfig(), threads=2, folder=str(tmp_path / "absent"))
