"""``tfds://name[/config][:version]``: a dataset that TensorFlow Datasets downloads and prepares."""

import re
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from kerasft.assets.cache import Fetched, announce
from kerasft.assets.handle import Handle
from kerasft.assets.network import connection_problem, hub_timeout, within
from kerasft.assets.problems import SourceError, is_disk_error, one_line
from kerasft.assets.quiet import no_stdout
from kerasft.errors import MissingExtraError


def fetch(handle: Handle, work: Path, files: Path) -> Fetched:
    """Prepares the dataset in `files`; the path is what `tfds.builder_from_directory` takes.

    Raises:
        MissingExtraError: tensorflow-datasets is not installed.
        SourceError: unknown dataset, config or version; its servers do not answer; or its preparation fails.
        OSError: the disk is full or cannot be written.
    """
    # importlib_resources: needed by tensorflow-datasets 4.9.10, which forgets to declare it.
    for package in ("tensorflow_datasets", "importlib_resources"):
        if find_spec(package) is None:
            raise MissingExtraError(package.replace("tensorflow_", "tensorflow-"), "tfds", handle.text)
    with no_stdout():
        import tensorflow_datasets as tfds

        name = f"{handle.name}:{handle.version}" if handle.version else handle.name
        try:
            builder = tfds.builder(name, data_dir=files)
            _check_network(builder)
            announce(handle, f"version {builder.version}, prepared by TensorFlow Datasets")
            # Downloads go to `work`, so that the archives are not kept beside the prepared records.
            builder.download_and_prepare(download_dir=work)
        except Exception as error:
            if isinstance(error, SourceError) or is_disk_error(error):
                raise
            # "Failed to construct dataset …, builder_kwargs {…}: " comes before what matters.
            reason = re.sub(r'^.*?Failed to construct dataset .*?}": ', "", str(error))
            raise SourceError(f"{type(error).__name__}: {one_line(reason)}") from error
    prepared = Path(str(builder.data_dir))
    resolved = "" if handle.version else str(builder.version)
    return Fetched(path=prepared.relative_to(files).as_posix(), resolved=resolved)


def _check_network(builder: Any) -> None:
    """Fails within seconds if none of the dataset's servers opens a connection.

    Left alone, the library retries for 204 s (measured) before it admits that there is no network. Copies
    that the library's authors keep of prepared datasets can stand in for those servers.
    """
    from tensorflow_datasets.core.utils import gcs_utils

    servers = {f"{a.scheme}://{a.netloc}" for a in map(urlsplit, getattr(builder, "url_infos", None) or {})}
    problems = []
    for server in sorted(servers)[:3]:
        problem = connection_problem(server, hub_timeout())
        if not problem:
            return
        problems.append(problem)
    with suppress(TimeoutError):
        if not problems or within(hub_timeout(), lambda: gcs_utils.is_dataset_on_gcs(builder.info.full_name)):
            return
    raise SourceError(problems[0])
