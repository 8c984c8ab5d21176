"""`ImagePreprocess` against Pillow."""

import io
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from pictures import encoded, scene, with_orientation
from PIL import Image, ImageOps

from kerasft.images import ImagePreprocess

SIZE = (32, 48)
PLAIN = ImagePreprocess(SIZE, resize="stretch")
_FILTERS = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def ours(content: bytes, preprocess: ImagePreprocess = PLAIN) -> np.ndarray:
    """One image as the model reads it."""
    return preprocess(tf.constant([content])).inputs["images"].numpy()[0]


def pillow(content: bytes, size: tuple[int, int] = SIZE, interpolation: str = "bilinear") -> np.ndarray:
    """The same by Pillow: upright, RGB, stretched."""
    picture = ImageOps.exif_transpose(Image.open(io.BytesIO(content))).convert("RGB")
    return np.asarray(picture.resize(size[::-1], _FILTERS[interpolation]))


def assert_close(first: np.ndarray, second: np.ndarray, most: int, mean: float) -> None:
    """Of 255 grey values."""
    difference = np.abs(first.astype(int) - second.astype(int))
    assert difference.max() <= most and difference.mean() <= mean, (difference.max(), difference.mean())


@pytest.mark.parametrize("interpolation", _FILTERS)
@pytest.mark.parametrize("shape", [(60, 90), (20, 20), (300, 40), (1, 1)])
def test_resizing_is_that_of_pillow(interpolation, shape):
    content = encoded(scene(*shape))
    preprocess = ImagePreprocess(SIZE, resize="stretch", interpolation=interpolation)
    assert_close(ours(content, preprocess), pillow(content, interpolation=interpolation), most=1, mean=0.3)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("PNG", {}), ("JPEG", {"quality": 95}), ("JPEG", {"progressive": True}), ("GIF", {}), ("BMP", {})],
)
def test_every_kind_of_file_is_decoded(kind, options):
    content = encoded(scene(), kind, **options)
    assert_close(ours(content), pillow(content), most=4, mean=1.0)


def test_grey_palette_transparency_and_sixteen_bits():
    picture = Image.fromarray(scene())
    deep = (scene()[..., 0].astype(np.uint16) * 257).astype(np.uint16)
    for content in (encoded(picture.convert("L")), encoded(picture.convert("P")), encoded(picture.convert("1"))):
        assert_close(ours(content), pillow(content), most=2, mean=0.5)
    clear = picture.convert("RGBA")
    clear.putalpha(0)
    assert_close(ours(encoded(clear)), pillow(encoded(picture)), most=1, mean=0.3)  # transparency is left out
    grey = encoded(Image.fromarray(np.repeat(scene()[..., :1], 3, axis=-1)))
    assert_close(ours(encoded(Image.fromarray(deep))), pillow(grey), most=1, mean=0.5)


def test_cmyk_jpeg():
    content = encoded(Image.fromarray(scene()).convert("CMYK"), "JPEG", quality=95)
    assert_close(ours(content), pillow(content), most=8, mean=2.0)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_upright(orientation, order):
    content = with_orientation(scene(), orientation, order)
    assert_close(ours(content), pillow(content), most=5, mean=1.2)


@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00", b"Exif\x00\x00II*\x00\xff\xff\xff\xff", b"Exif\x00\x00MM\x00*" + bytes(8)]
)
def test_a_damaged_exif_block_turns_nothing(exif):
    content = encoded(scene(), "JPEG", quality=95, exif=exif)
    assert_close(ours(content), pillow(encoded(scene(), "JPEG", quality=95)), most=4, mean=1.0)


def test_crop_takes_the_middle_in_proportion():
    image = scene(100, 200)
    content = encoded(image)
    preprocess = ImagePreprocess((40, 40), crop=0.8)
    # 80 of the 100 rows, and as many columns, from the middle
    reference = np.asarray(Image.fromarray(image[10:90, 60:140]).resize((40, 40), _FILTERS["bilinear"]))
    assert_close(ours(content, preprocess)[1:-1, 1:-1], reference[1:-1, 1:-1], most=2, mean=0.6)


def test_affine_leads_from_original_to_model_pixels():
    image = np.zeros((400, 640, 3), np.uint8)
    image[100:120, 300:340] = 255
    for content, most in ((encoded(image), 0.5), (encoded(image, "JPEG", quality=95), 0.7)):
        found = ImagePreprocess((50, 50))(tf.constant([content]))
        scale_y, scale_x, offset_y, offset_x = found.alignment["affine"].numpy()[0]
        rows, columns = np.nonzero(found.inputs["images"].numpy()[0, ..., 0] > 127)
        assert rows.min() == pytest.approx(100 * scale_y + offset_y, abs=most)
        assert rows.max() + 1 == pytest.approx(120 * scale_y + offset_y, abs=most)
        assert columns.min() == pytest.approx(300 * scale_x + offset_x, abs=most)
        assert columns.max() + 1 == pytest.approx(340 * scale_x + offset_x, abs=most)


def test_a_large_jpeg_is_decoded_smaller_and_looks_the_same():
    content = encoded(scene(800, 1200), "JPEG", quality=95)
    assert_close(ours(content), pillow(content), most=6, mean=1.5)


WIDE = """
import io, resource
import tensorflow as tf
from PIL import Image
from kerasft.images import ImagePreprocess

preprocess = ImagePreprocess(size=(32, 32))
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
def encoded(format, width, height):
    content = io.BytesIO()
    Image.new("RGB", (width, height), (9, 200, 9)).save(content, format)
    return content.getvalue()
for format in ("JPEG", "PNG"):
    preprocess(tf.constant([encoded(format, 20, 20)]))
    content = encoded(format, 20_000, 3_000)
    before = peak()
    seen = preprocess(tf.constant([content] * 8)).inputs["images"]
    print(seen.shape == (8, 32, 32, 3) and bool(tf.reduce_all(abs(tf.cast(seen, "int32") - (9, 200, 9)) < 3)))
    print(peak() - before)
"""


def test_images_of_20000_pixels_are_decoded_one_at_a_time():
    done = subprocess.run([sys.executable, "-c", WIDE], capture_output=True, text=True, check=True)
    right, jpeg, png = (done.stdout.split()[i] for i in (slice(0, None, 2), 1, 3))
    assert right == ["True", "True"]
    # One of them has 180 MB, and eight had 1,440; as floating point numbers each would have 720.
    assert float(jpeg) < 300 and float(png) < 300


def test_other_names_are_refused():
    with pytest.raises(ValueError, match="cubic"):
        ImagePreprocess(SIZE, interpolation="cubic")
