"""Files of every format that can be dropped in, drawn by code, and ways to damage them: the food of `fuzz`."""

from __future__ import annotations

import gzip
import io
import random
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import nibabel
import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.sequence import Sequence

HEIGHT, WIDTH = 36, 40  # pixels: a little more than the least that is read, so that inputs are quick
IN_GZIP = {"nifti gz": "nifti", "dicom gz": "dicom 16 bit"}
INTERESTING = (
    *(0, 1, 2, 7, 8, 31, 32, 64, 127, 128, 255, 256, 513, 4096, 32767, 32768, 65535, 65536, 1_000_000),
    *(2**24, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 2, 2**32 - 1),
)


def drawing(seed: int = 0, channels: int = 0) -> np.ndarray:
    """(HEIGHT, WIDTH[, channels]) uint8: an ellipse with noise in it."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-1 : 1 : HEIGHT * 1j, -1 : 1 : WIDTH * 1j]
    inside = (y / 0.85) ** 2 + (x / 0.8) ** 2 < 1
    gray = np.where(inside, rng.integers(90, 250, (HEIGHT, WIDTH)), 0).astype(np.uint8)
    return np.dstack([gray // (1 + channel) for channel in range(channels)]) if channels else gray


def corpus() -> dict[str, bytes]:
    """Name -> file. The names tell the format and what is special."""
    files = _images() | _niftis()
    files |= {f"dicom {name}": dicom_bytes(ds) for name, ds in _dicoms().items()}
    files |= _real_life(files["dicom 16 bit"])
    files |= _gdcm_compressed(files["dicom 16 bit"])
    series = {f"{number}.dcm": dicom_bytes(dicom(seed=number, number=number)) for number in range(3)}
    files["zip series"] = zipped(series)
    files["zip mixed"] = zipped({"../../a.png": files["png L"], "b/c.nii": files["nifti"], "d.txt": b"text"})
    files["zip in zip"] = zipped({"inner.zip": files["zip series"]}, zipfile.ZIP_STORED)
    return files


def _images() -> dict[str, bytes]:
    gray, colour = Image.fromarray(drawing()), Image.fromarray(drawing(1, 3))
    deep = Image.fromarray(drawing().astype(np.uint16) * 257)
    exif = Image.Exif()
    exif[0x0112] = 6
    made: dict[str, tuple[Image.Image, str, dict[str, Any]]] = {
        "png L": (gray, "PNG", {}),
        "png RGB": (colour, "PNG", {}),
        "png RGBA": (colour.convert("RGBA"), "PNG", {}),
        "png palette": (colour.quantize(16), "PNG", {"transparency": 0}),
        "png 16 bit": (deep, "PNG", {}),
        "png 1 bit": (gray.convert("1"), "PNG", {}),
        "png animated": (gray, "PNG", {"save_all": True, "append_images": [gray.rotate(90)]}),
        "jpeg L": (gray, "JPEG", {"exif": exif}),
        "jpeg progressive": (colour, "JPEG", {"progressive": True}),
        "jpeg CMYK": (colour.convert("CMYK"), "JPEG", {}),
        "bmp": (gray, "BMP", {}),
        "bmp RGB": (colour, "BMP", {}),
        "tiff": (gray, "TIFF", {}),
        "tiff 16 bit": (deep, "TIFF", {"compression": "tiff_lzw"}),
        "tiff float": (Image.fromarray(drawing() / np.float32(7)), "TIFF", {}),
        "tiff deflate": (colour, "TIFF", {"compression": "tiff_adobe_deflate"}),
        "tiff jpeg": (colour, "TIFF", {"compression": "jpeg"}),
        "tiff packbits": (colour.quantize(16), "TIFF", {"compression": "packbits"}),
        "tiff fax": (gray.convert("1"), "TIFF", {"compression": "group4"}),
        "tiff pages": (gray, "TIFF", {"save_all": True, "append_images": [gray.rotate(90)]}),
        "webp": (colour, "WEBP", {}),
        "webp lossless": (colour.convert("RGBA"), "WEBP", {"lossless": True}),
    }
    files = {}
    for name, (image, form, options) in made.items():
        buffer = io.BytesIO()
        image.save(buffer, form, **options)
        files[name] = buffer.getvalue()
    return files


def _real_life(plain: bytes) -> dict[str, bytes]:
    """Enhanced files with echoes, 16-bit colour, DICOM in gzip, pixels that are not square."""
    from tests.support.series import Frame, enhanced  # draws with this module

    deep = np.dstack([drawing().astype(np.uint16) * 250] * 3)
    return {
        "dicom enhanced": enhanced([Frame(0, place, echo) for echo in (15, 90) for place in (0, 5, 10)]),
        "dicom not square": dicom_bytes(
            dicom(PixelSpacing=[1.8, 0.9], ImageOrientationPatient=[0, 1, 0, 1, 0, 0])
        ),
        "dicom gz": gzip.compress(plain),
        "png 16 bit RGB": cv2.imencode(".png", deep)[1].tobytes(),
        "tiff 16 bit RGB": cv2.imencode(".tiff", deep)[1].tobytes(),
    }


def _niftis() -> dict[str, bytes]:
    volume = np.stack([drawing(seed).T for seed in range(5)], axis=-1)
    affine = np.asarray([[0, -1.2, 0, 9], [1, 0, 0.1, 3], [0, 0, 4, 7], [0, 0, 0, 1.0]])
    files = {
        "nifti": nibabel.Nifti1Image(volume.astype(np.int16) * 9, affine).to_bytes(),
        "nifti 2 float": nibabel.Nifti2Image(volume / np.float32(7), affine).to_bytes(),
        "nifti 4d": nibabel.Nifti1Image(np.stack([volume, volume[::-1]], -1), affine).to_bytes(),
    }
    return files | {"nifti gz": gzip.compress(files["nifti"])}


def dicom(seed: int = 0, number: int = 1, **changes: Any) -> Dataset:
    """A 16-bit MR slice of a series; its text holds what may never be shown."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = uid.MRImageStorage
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = uid.UID(f"1.2.826.0.1.{seed}.{number}")
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = (
        "Secret^<script>alert(1)</script>",
        "ID-4711",
        "19700102",
    )
    ds.InstitutionName, ds.StudyDate = "Hidden Hospital", "20200304"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.826.0.1.77", "1.2.826.0.1.78"
    ds.Modality, ds.InstanceNumber = "MR", number
    ds.ImageOrientationPatient, ds.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 5 * number]
    ds.PixelSpacing = [0.9, 0.9]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows, ds.Columns, ds.PixelRepresentation = HEIGHT, WIDTH, 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit = 16, 12, 11
    ds.PixelData = (drawing(seed).astype(np.uint16) * 16).tobytes()
    for name, value in changes.items():
        setattr(ds, name, value)
    return ds


def _dicoms() -> dict[str, Dataset]:
    eight: dict[str, Any] = {"BitsAllocated": 8, "BitsStored": 8, "HighBit": 7}
    colour = eight | {"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB", "PlanarConfiguration": 0}
    made = {
        "16 bit": dicom(
            WindowCenter=[1800, 90], WindowWidth=[2500, 80], RescaleSlope=2, RescaleIntercept=-100
        ),
        "inverted": dicom(PhotometricInterpretation="MONOCHROME1", PixelPaddingValue=0),
        "8 bit": dicom(**eight, PixelData=drawing().tobytes(), Modality="US"),
        "colour": dicom(**colour, PixelData=drawing(2, 3).tobytes()),
        "frames": dicom(NumberOfFrames=3, PixelData=(drawing().astype(np.uint16) * 16).tobytes() * 3),
        "report": dicom(SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"),
    }
    palette = dicom(**eight, PhotometricInterpretation="PALETTE COLOR", PixelData=drawing().tobytes())
    for name in ("Red", "Green", "Blue"):
        setattr(palette, f"{name}PaletteColorLookupTableDescriptor", [256, 0, 16])
        setattr(
            palette, f"{name}PaletteColorLookupTableData", (np.arange(256, dtype=np.uint16) * 257).tobytes()
        )
    table = Dataset()
    table.LUTDescriptor = [4096, 0, 16]
    table.LUTData = np.arange(0, 65536, 16).astype("<u2").tobytes()
    made |= {"palette": palette, "voi table": dicom(VOILUTSequence=Sequence([table]))}
    for name, syntax in {
        "rle": uid.RLELossless, "jpeg-ls": uid.JPEGLSLossless, "jpeg 2000": uid.JPEG2000Lossless
    }.items():  # fmt: skip
        for kind in ("16 bit", "frames"):
            ds = dicom_copy(made[kind])
            ds.compress(syntax, generate_instance_uid=False)
            made[f"{name} {kind}"] = ds
    jpeg = io.BytesIO()
    Image.fromarray(drawing()).save(jpeg, "JPEG")
    made["jpeg"] = dicom(**eight, PixelData=encapsulate([jpeg.getvalue()]))
    made["jpeg"].file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    made["jpeg"]["PixelData"].VR = "OB"
    made["deflated"] = dicom()
    made["deflated"].file_meta.TransferSyntaxUID = uid.DeflatedExplicitVRLittleEndian
    made["implicit"] = dicom()
    made["implicit"].file_meta.TransferSyntaxUID = uid.ImplicitVRLittleEndian
    return made


def dicom_copy(ds: Dataset) -> FileDataset:
    from pydicom import dcmread

    return dcmread(io.BytesIO(dicom_bytes(ds)))


def dicom_bytes(ds: Dataset) -> bytes:
    buffer = io.BytesIO()
    ds.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


def _gdcm_compressed(plain: bytes) -> dict[str, bytes]:
    """Lossless JPEG, which gdcm alone can write; it works on files."""
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "plain.dcm", Path(folder) / "packed.dcm"
        source.write_bytes(plain)
        reader = gdcm.ImageReader()
        reader.SetFileName(str(source))
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLosslessProcess14_1))
        if not reader.Read():
            raise RuntimeError("gdcm cannot read the drawn file")
        change.SetInput(reader.GetImage())
        change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(target))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        writer.Write()
        return {"dicom lossless jpeg": target.read_bytes()}


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def bombs() -> dict[str, bytes]:
    """Name -> a small file that asks for much."""
    chain = bytearray(_images()["tiff"])
    first = struct.unpack_from("<I", chain, 4)[0]
    entries = struct.unpack_from("<H", chain, first)[0]
    struct.pack_into("<I", chain, first + 2 + 12 * entries, len(chain))
    for _ in range(300_000):
        chain += struct.pack("<HHHIII", 1, 256, 3, 1, 64, len(chain) + 18)
    plain = dicom_bytes(dicom())
    volume = bytearray(_niftis()["nifti"])
    volume[42:48] = struct.pack("<3h", 512, 512, 240)
    huge = bytearray(_niftis()["nifti"])
    huge[42:48] = struct.pack("<3h", 32767, 32767, 32767)
    nested = b"\x08\0\x40\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\0\xe0\xff\xff\xff\xff" * 50_000
    elements = b"".join(struct.pack("<HH2sH", 9, 1 + n, b"LO", 0) for n in range(65_000)) * 30
    head = bytes(128) + b"DICM" + b"\x02\0\x10\0UI\x16\x001.2.840.10008.1.2.1.99"
    zeros = bytes(10_000_000)
    packed = gzip.compress(zeros)
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(zeros) + deflate.flush(zlib.Z_FULL_FLUSH)  # can be repeated
    return {
        "PNG of 100 megapixels": png_of(10_000, 10_000),
        "PNG of 25 megapixels": png_of(5000, 5000),
        "PNG of 60,000 x 60,000 in its header": png_of(60_000, 60_000, 100),
        "TIFF with 300,000 directories": bytes(chain),
        "JPEG with 100,000 passes": endless_jpeg(),
        "DICOM with a million frames": dicom_bytes(dicom(NumberOfFrames=1_000_000)),
        "DICOM with 50,000 nested sequences": plain[:400] + nested,
        "DICOM with two million elements": plain[:400] + elements,
        "DICOM that inflates to a gigabyte": head + block * 100 + b"\x03\0",
        "NIfTI of 32,767 voxels a side": bytes(huge),
        "NIfTI gz of 126 MB of zeros": gzip.compress(bytes(volume) + bytes(2 * 512 * 512 * 240 - len(volume) + 352), 1),
        "NIfTI gz of a gigabyte": gzip.compress(bytes(volume)) + packed * 100,
        "gz of a gigabyte": packed * 100,
        "ZIP of 1,000 files that inflate to 100 kB": zipped({f"{n}": zeros[:100_000] for n in range(1000)}),
        "ZIP with a file of 200 MB": zipped({"zeros": bytes(200_000_000)}),
        "ZIP with 20,000 files": zipped({f"{n}": b"" for n in range(20_000)}),
        "ZIP of bombs": zipped({"a.tif": bytes(chain), "b.tif": bytes(chain), "c.dcm": plain[:400] + elements}),
    }  # fmt: skip


def png_bytes_of(pixels: np.ndarray) -> bytes:
    """An 8-bit PNG of (H, W) float pixels in 0..1."""
    buffer = io.BytesIO()
    Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(buffer, "PNG")
    return buffer.getvalue()


def endless_jpeg(passes: int = 100_000) -> bytes:
    """A progressive JPEG of 4 megapixels that goes over them again and again."""
    progressive = io.BytesIO()
    large = Image.fromarray(np.kron(drawing(), np.ones((50, 50), np.uint8)))
    large.save(progressive, "JPEG", progressive=True)
    jpeg = progressive.getvalue()
    last = jpeg.rindex(b"\xff\xda")
    return jpeg[:last] + jpeg[last:-2][:40] * passes + jpeg[-2:]


def png_of(width: int, height: int, rows: int | None = None) -> bytes:
    """A black PNG that really holds its pixels, or only some of its rows."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    pixels = zlib.compress(bytes((width + 1) * (height if rows is None else rows)), 1)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def mutated(rng: random.Random, files: dict[str, bytes]) -> tuple[str, bytes]:
    """The name of a file of the corpus, and that file damaged in one to four ways; some are left whole.

    Half of the time what a checksum or a compression would hide is damaged inside of it.
    """
    name = rng.choice(sorted(files))
    data = files[name]
    inside = rng.random() < 0.5
    if inside and name in IN_GZIP:
        return name, gzip.compress(_damaged(rng, files[IN_GZIP[name]], files), 1)
    if inside and name.startswith("zip "):
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = {member: archive.read(member) for member in archive.namelist()}
        broken = rng.choice(sorted(members))
        members[broken] = _damaged(rng, members[broken], files)
        return name, zipped(members)
    data = _damaged(rng, data, files)
    return name, _with_checksums(data) if inside and name.startswith("png ") else data


def _damaged(rng: random.Random, data: bytes, files: dict[str, bytes]) -> bytes:
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 4))):
        if data:
            data = rng.choice(DAMAGE)(rng, data, files)
    return data


def _flip_bits(rng: random.Random, data: bytes, files: dict[str, bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        changed[_somewhere(rng, data)] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _cut(rng: random.Random, data: bytes, files: dict[str, bytes]) -> bytes:
    return data[: rng.randrange(len(data))]


def _splice(rng: random.Random, data: bytes, files: dict[str, bytes]) -> bytes:
    other = files[rng.choice(sorted(files))]
    start, where = rng.randrange(len(other)), rng.randrange(len(data))
    return (
        data[:where]
        + other[start : start + rng.choice((4, 40, 400, 4000))]
        + data[where + rng.choice((0, 4, 40)) :]
    )


def _repeat(rng: random.Random, data: bytes, files: dict[str, bytes]) -> bytes:
    where, length = rng.randrange(len(data)), rng.choice((2, 8, 64, 512))
    return data[:where] + data[where : where + length] * rng.choice((0, 2, 3, 50)) + data[where + length :]


def _write_number(rng: random.Random, data: bytes, files: dict[str, bytes]) -> bytes:
    """A length or a side of an image, wherever it may stand."""
    form = rng.choice(("<H", ">H", "<I", ">I", "<f", ">f", "<Q"))
    size = struct.calcsize(form)
    if form[1] == "f":
        number = struct.pack(form, rng.choice((0.0, -1.0, float("nan"), float("inf"), 1e38, 1e-38)))
    else:
        number = struct.pack(form, rng.choice(INTERESTING) % 256**size)
    where = _somewhere(rng, data)
    return data[:where] + number + data[where + size :]


def _grow_header(rng: random.Random, data: bytes, files: dict[str, bytes]) -> bytes:
    """The height or width wherever the header holds it, as another number."""
    changed = data
    for form in ("<H", ">H", "<I", ">I"):
        old = struct.pack(form, rng.choice((HEIGHT, WIDTH)))
        where = data.find(old)
        if where >= 0 and rng.random() < 0.5:
            number = struct.pack(form, rng.choice(INTERESTING) % 256 ** len(old))
            changed = changed[:where] + number + changed[where + len(old) :]
    return changed


def _somewhere(rng: random.Random, data: bytes) -> int:
    """A place, more often in the header than its share."""
    return rng.randrange(min(len(data), rng.choice((64, 400, 2000, len(data)))))


def _with_checksums(data: bytes) -> bytes:
    """A PNG with right checksums, as far as its chunks can be followed."""
    fixed, place = bytearray(data), 8
    while place + 12 <= len(fixed):
        length = int.from_bytes(fixed[place : place + 4], "big")
        end = place + 8 + length
        if end + 4 > len(fixed):
            break
        fixed[end : end + 4] = zlib.crc32(fixed[place + 4 : end]).to_bytes(4, "big")
        place = end + 4
    return bytes(fixed)


Damage = Callable[[random.Random, bytes, dict[str, bytes]], bytes]
DAMAGE: tuple[Damage, ...] = (_flip_bits, _cut, _splice, _repeat, _write_number, _write_number, _grow_header)
