"""Sources, units, decoding and inference without Ray: every slice of the archive has one row."""

from __future__ import annotations

import gc
import weakref
import zipfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from fsspec.implementations.local import LocalFileSystem

from tests.archive.steps import listed, read
from tests.support.archives import REFUSALS, SERIES_LENGTH, SLICES, png
from tests.support.corpus import endless_jpeg
from utils.archive import manifest
from utils.archive.decoding import Decoder
from utils.archive.errors import ArchiveRunError
from utils.archive.inference import Inference
from utils.archive.rows import columns_of
from utils.archive.sources import CHANGED, files_of, parts_of
from utils.archive.storage import resolved
from utils.networks.shipped import reading_networks, segmentation_weights
from utils.reading.reader import Reader
from utils.reading.segmenter import Segmentation, Segmenter
from utils.reading.sequences import Recognition
from utils.scans.files import files_in, read_files


def test_every_slice_and_every_refusal_has_one_row(rows: pa.Table) -> None:
    assert rows["accepted"].to_pylist().count(True) == SLICES
    assert len(rows) == SLICES + REFUSALS
    keys = set(zip(rows["unit"].to_pylist(), rows["row"].to_pylist(), strict=True))
    assert len(keys) == len(rows)


def test_rows_equal_what_the_networks_say_without_the_archive(
    rows: pa.Table, archive: Path, shipped: Path
) -> None:
    readers = [Reader.load(weights) for weights in reading_networks()]
    segmenter = Segmenter.load(segmentation_weights())
    inputs = {
        (item.file, item.scan.slice): item.scan for item in read_files(files_in([archive])) if item.scan
    }
    table = {(row["source"], row["slice"]): row for row in rows.to_pylist() if row["accepted"]}
    unpacked = {key: row for key, row in table.items() if ".zip/" not in key[0] and "patient2" not in key[0]}
    assert len(unpacked) == SLICES - SERIES_LENGTH - 3 and unpacked.keys() <= inputs.keys()
    for key in list(unpacked)[::17]:
        readings = [reader.read(inputs[key]) for reader in readers]
        for reading in readings:
            values = [table[key][f"{reading.network}_{name}"] for name in reading.classes]
            np.testing.assert_allclose(values, reading.probabilities, atol=1e-5)
        mean = np.mean([1 - reading.probability("no_tumor") for reading in readings])
        assert table[key]["tumor_probability"] == pytest.approx(mean, abs=1e-5)
        segmentation = segmenter.read_many([inputs[key]])[0]
        assert table[key]["tumor_score"] == pytest.approx(segmentation.tumor_score, abs=1e-5)
        assert table[key]["outline_area"] == segmentation.outline.area
        assert table[key]["sha256"] == inputs[key].sha256
        assert table[key]["cnn_sha256"] == readers[0].card.version


def test_pixels_of_a_scan_are_freed_when_its_row_is_there(tmp_path: Path, monkeypatch) -> None:
    from utils.archive import decoding

    (tmp_path / "a.png").write_bytes(png(1))
    pixels: list[weakref.ref] = []
    read_stacks = decoding.read_stacks

    def remembering(files: list) -> list[Any]:
        stacks: list[Any] = read_stacks(files)
        pixels.extend(weakref.ref(scan.pixels) for stack in stacks for scan in stack.scans)
        return stacks

    monkeypatch.setattr(decoding, "read_stacks", remembering)
    assert len(read(tmp_path)) == 1 == len(pixels)
    gc.collect()
    assert pixels[0]() is None


def test_a_series_in_two_folders_or_in_a_zip_is_one_stack(rows: pa.Table) -> None:
    series = rows.filter(pc.is_valid(rows["series"]))
    assert len(series) == 3 * SERIES_LENGTH
    for unit in set(series["unit"].to_pylist()):
        own = series.filter(pc.equal(series["unit"], unit))
        assert sorted(own["slice"].to_pylist()) == list(range(SERIES_LENGTH))
        assert len(set(own["series"].to_pylist())) == 1
    sources = [name for name in series["source"].to_pylist() if "packed.zip/study/" in name]
    assert len(sources) == SERIES_LENGTH // 2


def test_rows_have_sequence_and_plane_with_their_origin(rows: pa.Table, make_entry) -> None:
    columns = ("sequence", "sequence_origin", "plane", "plane_origin")
    table = rows.to_pylist()
    series = {tuple(row[name] for name in columns) for row in table if row["series"]}
    assert series == {("T2", "file", "axial", "file")}
    images = {tuple(row[name] for name in columns) for row in table if row["source"].endswith(".png")}
    assert images == {(None, None, None, None)}, "these small networks recognise nothing"
    shown = Recognition(np.asarray([0, 1.0, 0, 0]), np.asarray([0, 0, 1.0]), 0.5, 0.5)
    outlined: Any = SimpleNamespace(area=0, area_mm2=None)
    entry = replace(
        make_entry("a.png", ("glioma", "glioma")), segmentation=Segmentation(outlined, 0.1, recognition=shown)
    )
    recognised = columns_of(entry, None)
    assert [recognised[name] for name in columns] == ["T1C+", "image", "sagittal", "image"]


def test_units_are_whole_in_shards_and_tasks(files: pa.Table) -> None:
    shards = files["shard"].to_pylist()
    assert shards == sorted(shards) and set(shards) == set(range(shards[-1] + 1))
    pairs = set(zip(files["unit"].to_pylist(), shards, strict=True))
    assert len(pairs) == files["unit"][-1].as_py() + 1
    for size in (1, 8):
        tasks = manifest.tasks_of(files, size)
        units = [set(task["unit"].to_pylist()) for task in tasks]
        assert sum(map(len, units)) == len(pairs) and sum(map(len, tasks)) == len(files)


def test_the_manifest_is_read_back_by_shard(files: pa.Table, tmp_path: Path) -> None:
    manifest.write(tmp_path, files)
    sizes = manifest.shard_sizes(tmp_path)
    tables = dict(manifest.read_shards(tmp_path, range(len(sizes))))
    assert [len(table) for table in tables.values()] == sizes
    assert pa.concat_tables(tables.values()).equals(files)


def test_large_files_count_as_several_slices() -> None:
    parts = pa.Table.from_pylist(
        [
            {"position": number, "file": f"{number}.nii", "entry": -1, "size": 20_000_000}
            for number in range(6)
        ],
        schema=manifest.PARTS,
    )
    assert manifest.divided(parts, 100)["shard"].to_pylist() == [0, 0, 1, 2, 3, 3]


def test_a_poisonous_file_is_one_refusal(tmp_path: Path) -> None:
    for name in ("a.png", "poison.jpg", "z.png"):
        (tmp_path / name).write_bytes(endless_jpeg() if name == "poison.jpg" else png(len(name)))
    rows = read(tmp_path)
    assert [row["reason"] is None for row in rows] == [True, False, True]
    assert "takes too long" in rows[1]["reason"]


def test_members_of_a_zip_are_files_of_their_own(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one/scan.png", png(1))
        archive.writestr("two/scan.png", png(2))
        archive.writestr("bad.png", b"no image")
        archive.writestr("inner.zip", b"PK\x03\x04")
        archive.writestr("__MACOSX/scan.png", png(3))
    rows = read(tmp_path / "a.zip")
    assert {row["source"].removeprefix(f"{tmp_path}/a.zip/") for row in rows} == {
        "one/scan.png", "two/scan.png", "bad.png", "inner.zip"
    }  # fmt: skip
    assert [row["reason"] is None for row in rows] == [True, True, False, False]


def test_sources_below_another_are_read_once(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(png(1))
    sources = [str(tmp_path / "a" / "x.png"), str(tmp_path), f"file://{tmp_path}/a", str(tmp_path) + "/"]
    assert resolved(sources) == [str(tmp_path)]


@pytest.mark.parametrize(
    ("source", "sentence"),
    [("/not/there", "does not exist"), ("nonsense://a/b", "not supported")],
)
def test_a_source_that_cannot_be_used_is_one_sentence(source: str, sentence: str) -> None:
    with pytest.raises(ArchiveRunError, match=sentence):
        resolved([source])


def test_folders_without_files_and_links_out_of_them(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert [part.reason is not None for part in files_of(str(tmp_path / "empty"))] == [True]
    (tmp_path / "scan.png").write_bytes(png(1))
    (tmp_path / "empty" / "link.png").symlink_to(tmp_path / "scan.png")
    (tmp_path / "empty" / "broken.png").symlink_to(tmp_path / "gone.png")
    (tmp_path / "empty" / "loop").symlink_to(tmp_path)
    assert [part.file for part in files_of(str(tmp_path / "empty"))] == [str(tmp_path / "empty" / "link.png")]


def test_a_folder_that_cannot_be_opened_is_a_refusal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a" / "locked").mkdir(parents=True)
    (tmp_path / "a" / "scan.png").write_bytes(png(1))
    ls = LocalFileSystem.ls

    def refuse(self, path, **options):
        if path.endswith("locked"):  # the tests may run as root, for whom no folder is locked
            raise PermissionError(13, "Permission denied")
        return ls(self, path, **options)

    monkeypatch.setattr(LocalFileSystem, "ls", refuse)
    parts = list(files_of(str(tmp_path)))
    assert [part.file.removeprefix(f"{tmp_path}/") for part in parts] == ["a/scan.png", "a/locked"]
    assert [part.reason for part in parts] == [
        None, "This folder cannot be opened (no access); check its permissions."
    ]  # fmt: skip


def test_a_file_that_changes_is_refused_not_mixed_up(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(png(1))
    (tmp_path / "link.png").symlink_to(tmp_path / "b.png")
    files = listed(tmp_path)
    (tmp_path / "a.png").write_bytes(png(2))
    rows = pa.concat_tables(Decoder()(files)).to_pylist()
    assert [row["reason"] for row in rows] == [CHANGED, None, None]


def test_a_file_that_vanishes_is_a_refusal(tmp_path: Path) -> None:
    (tmp_path / "scan.png").write_bytes(png(1))
    part = next(files_of(str(tmp_path)))
    (tmp_path / "scan.png").unlink()
    assert "cannot be opened" in (parts_of(part)[0].reason or "")


def test_a_scan_on_which_a_network_fails_is_one_refusal(
    inference: Inference, files: pa.Table, monkeypatch
) -> None:
    decoded = pa.concat_tables(Decoder()(files.filter(pc.match_substring(files["file"], "/000")).slice(0, 3)))
    read_many = Reader.read_many

    def fail(self, scans, *options):
        if any(scan.name == decoded["source"][1].as_py() for scan in scans):
            raise MemoryError
        return read_many(self, scans, *options)

    monkeypatch.setattr(Reader, "read_many", fail)
    rows = inference(decoded).to_pylist()
    assert sum(row["accepted"] for row in rows) == len(rows) - 1 == 2


def test_other_networks_than_those_of_the_run_are_refused(shipped: Path) -> None:
    with pytest.raises(ArchiveRunError, match="other networks"):
        Inference({"cnn": "0" * 64}, threads=1)
