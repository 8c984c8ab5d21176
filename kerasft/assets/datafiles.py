"""Which files count as data. Everything else in a wheel or on a hub is left where it is.

These are lists of what is let in, not of what is kept out: a format nobody thought of stays outside. Code
(.py, .pyc, .so, .dll …) and formats that can run code when read (pickles: .bin, .pt, .pkl, .msgpack …) must
never be added.
"""

import re
from pathlib import PurePosixPath

# Configuration, weights and vocabularies of the checkpoints that kerasft reads.
MODEL = {".json", ".txt", ".safetensors", ".h5", ".keras", ".model", ".spm", ".vocab", ".bpe", ".tiktoken"}
# Tables, annotations, arrays, images, sound. NumPy refuses pickles inside .npy and .npz unless told
# otherwise.
_TABLES = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow", ".npy", ".npz", ".tfrecord"}
_TEXTS = {".xml", ".yaml", ".yml", ".md", ".rst", ".conll", ".conllu", ".bio", ".iob", ".iob2"}
_MEDIA = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff", ".wav", ".flac", ".mp3", ".ogg"}
_OTHER = _TABLES | _TEXTS | _MEDIA
_NAMES = {"LICENSE", "LICENCE", "NOTICE", "COPYING", "README", "AUTHORS", "CITATION"}
_SHARD = re.compile(r"\.tfrecord-\d+-of-\d+$")


def is_model_file(name: str) -> bool:
    """True for the files of a checkpoint that are safe to read (`MODEL`), and for licences."""
    path = PurePosixPath(name)
    return path.suffix.lower() in MODEL or path.name in _NAMES


def is_data_file(name: str) -> bool:
    """True for model files and for text, tables, images and sound."""
    return is_model_file(name) or PurePosixPath(name).suffix.lower() in _OTHER or bool(_SHARD.search(name))


def name_problem(name: str) -> str:
    """Why a name inside an archive or repository is not a plain relative path; empty when it is one.

    Refused: absolute paths and drives, ``..``, empty parts, control characters, and backslashes, which
        Windows
    takes for separators.
    """
    if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name):
        return "is an absolute path"
    if "\\" in name:
        return "contains a backslash"
    if ":" in name or any(ord(c) < 32 for c in name):
        return "contains a colon or control character"
    if any(part in ("", ".", "..") for part in name.removesuffix("/").split("/")):
        return "leads outside its folder"
    return ""
