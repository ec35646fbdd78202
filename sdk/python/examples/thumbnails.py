"""A worker that draws thumbnails: python3 -m warmpool thumbnails.py. It needs Pillow (Debian: python3-pil).

    warmpool submit image.thumbnail '{"source":"/srv/in/a.jpg","target":"/srv/out/a.png","pixels":256}' --content json --wait

What costs time is imported once in each worker, not for each picture.
"""
import os
import tempfile

from PIL import Image, ImageOps

from warmpool import FailedForGood, task

Image.MAX_IMAGE_PIXELS = 64_000_000  # beyond it Pillow warns, beyond twice that it refuses: a small file may be a huge picture
PIXELS_MAX = 4096


@task("image.thumbnail", timeout=60, retries=1)
def thumbnail(payload, ctx):
    """{"source", "target", "pixels"}: a PNG that fits into a square of so many pixels. A retry does no harm: the target is replaced
    in one step."""
    source, target, pixels = wishes(payload)
    try:
        with Image.open(source) as image:
            image.draft("RGB", (pixels, pixels))  # a JPEG is decoded no larger than it has to be
            ctx.progress(0.2, "opened")
            small = ImageOps.exif_transpose(image)
            small.thumbnail((pixels, pixels))
    except (Image.UnidentifiedImageError, Image.DecompressionBombError, FileNotFoundError, IsADirectoryError) as error:
        raise FailedForGood(f"{source}: {error}") from error  # the next attempt would see the same
    ctx.raise_if_cancelled()
    ctx.progress(0.8, "scaled")
    return {"target": target, "width": small.width, "height": small.height, "bytes": save(small, target)}


def wishes(payload):
    try:
        source, target, pixels = payload["source"], payload["target"], payload.get("pixels", 256)
    except (TypeError, KeyError, AttributeError) as error:
        raise FailedForGood('the payload is {"source": PATH, "target": PATH, "pixels": N}') from error
    if not isinstance(pixels, int) or not 1 <= pixels <= PIXELS_MAX:
        raise FailedForGood(f"pixels is a whole number from 1 to {PIXELS_MAX}")
    return source, target, pixels


def save(image, target):
    """Whoever looks sees no picture, or all of it."""
    with tempfile.NamedTemporaryFile(dir=os.path.dirname(target), prefix=".thumbnail-", delete=False) as file:
        try:
            image.save(file, "PNG")
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.replace(file.name, target)
        except BaseException:
            os.unlink(file.name)
            raise
        return file.tell()
