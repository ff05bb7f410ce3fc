"""From the bytes of any image file to the pixels that a model sees, trusting nothing about them."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from cifar_cnn.config import IMAGE_SIZE

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF", "PPM")
"""What is decoded. Pillow knows dozens more, some of them parsers that nobody has looked at for years."""

MAX_PIXELS = 50_000_000
"""Width times height of the largest photograph that is decoded: 150 MB in memory. A file of some kilobytes
can claim a thousand times as much (a decompression bomb)."""


class NotAnImage(ValueError):
    """The bytes are no image that can be decoded; says why."""


class ImageTooLarge(ValueError):
    """The image has more pixels than are decoded."""


def decode_image(data: bytes) -> NDArray[np.uint8]:
    """Decodes an image file, crops its middle to a square and scales that to what models were trained on.

    Turned as its EXIF says; of an animation the first frame; transparency over white. An image of
    32x32 pixels comes out as it is.

    Args:
        data: the file's bytes.

    Returns:
        uint8 (32, 32, 3), red, green, blue.

    Raises:
        NotAnImage: empty, no known format, truncated or damaged.
        ImageTooLarge: more than `MAX_PIXELS`; found out before they are decoded.
    """
    if not data:
        raise NotAnImage("the file is empty")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(image)
            turned = ImageOps.exif_transpose(image)
            square = ImageOps.fit(_rgb(turned), (IMAGE_SIZE, IMAGE_SIZE), Image.Resampling.BICUBIC)
    except (ImageTooLarge, Image.DecompressionBombError) as error:
        raise ImageTooLarge(str(error)) from error
    except UnidentifiedImageError as error:
        raise NotAnImage(f"no image; send one of {', '.join(FORMATS)}") from error
    except Exception as error:  # decoders raise whatever a damaged file makes them trip over
        raise NotAnImage(f"the image is damaged ({' '.join(str(error).split())[:100]})") from error
    return np.asarray(square, dtype=np.uint8)


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise ImageTooLarge(f"{width} x {height} pixels are more than the {MAX_PIXELS:,} that are decoded")


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I;16"):
        image = image.point(lambda value: value / 256).convert("L")  # Pillow clips 16 bits, it does not scale
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image)
    return image.convert("RGB")
