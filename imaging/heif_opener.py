"""Pillow's reader of HEIF, from pillow-heif: there where the extra `heif` is installed.

Imported in pool children only, before their memory is limited: libheif and libde265 are C libraries
and never near the event loop. Their own security limits stay on. Embedded thumbnails are not read:
what a `draft` would return instead of the picture need not show the picture.
"""

from __future__ import annotations

__all__ = ["REGISTERED"]


def _register() -> bool:
    try:
        import pillow_heif

        pillow_heif.register_heif_opener(
            thumbnails=False, depth_images=False, aux_images=False, decode_threads=1
        )
    except Exception:  # not installed, or installed and broken: HEIF is then not decoded
        return False
    return True


REGISTERED = _register()  #: whether `Image.open(…, formats=("HEIF",))` works
