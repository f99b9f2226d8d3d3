"""Endings of the names of pictures: those that jdc reads, and those that it knows of and does not read.

Lower case, with the dot. What a file is, its content decides (`read`); endings say which files of a folder
are looked at. Imports next to nothing, so that commands can ask at their start.
"""

from __future__ import annotations

from importlib.util import find_spec

#: Camera RAW that LibRaw reads.
RAW_ENDINGS = frozenset(
    {
        *(".3fr", ".arw", ".cap", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".gpr", ".iiq"),
        *(".k25", ".kdc", ".mef", ".mos", ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".raw", ".rw2"),
        *(".rwl", ".sr2", ".srf", ".srw", ".x3f"),
    }
)

#: Ordinary images.
IMAGE_ENDINGS = frozenset(
    {
        *(".jfif", ".jpe", ".jpeg", ".jpg", ".mpo"),
        *(".apng", ".png", ".tif", ".tiff", ".webp", ".avif", ".avifs", ".gif", ".bmp"),
        *(".pbm", ".pgm", ".pnm", ".ppm"),
    }
)

#: HEIC and HEIF, which are read where pillow-heif is installed.
HEIC_ENDINGS = frozenset({".heic", ".heics", ".heif", ".heifs", ".hif"})

_READS_HEIC = find_spec("pillow_heif") is not None

#: All that a folder of photos is searched for; a file named outright may have any ending.
PHOTO_ENDINGS = RAW_ENDINGS | IMAGE_ENDINGS | (HEIC_ENDINGS if _READS_HEIC else frozenset())

#: Other pictures: passed over in a folder, which is told.
UNREAD_ENDINGS = frozenset(
    {
        *(() if _READS_HEIC else HEIC_ENDINGS),
        *(".avci", ".jxl", ".bpg", ".flif", ".qoi"),
        *(".j2c", ".j2k", ".jp2", ".jpc", ".jpf", ".jpm", ".jpx", ".hdp", ".jxr", ".wdp"),
        *(".afphoto", ".kra", ".ora", ".psb", ".psd", ".xcf"),
        *(".dib", ".exr", ".fits", ".hdr", ".pam", ".pcx", ".pfm", ".sgi", ".tga"),
        *(".bay", ".mdc", ".ptx", ".rwz"),
    }
)

#: How to have those read that could be, by ending.
REMEDIES = {} if _READS_HEIC else dict.fromkeys(HEIC_ENDINGS, "pip install 'jdcodec[heic]'")

#: Every picture: no .jdc file may bear one of these.
PICTURE_ENDINGS = PHOTO_ENDINGS | UNREAD_ENDINGS
