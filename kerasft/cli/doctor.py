"""kerasft doctor"""

import os
import shutil
from importlib import metadata
from pathlib import Path
from typing import Any

from kerasft.cli import show
from kerasft.cli.assets import size
from kerasft.cli.command import Output, command

_PACKAGES = (
    "kerasft",
    "tensorflow",
    "tensorflow-text",
    "keras",
    "keras-hub",
    "numpy",
    "pyarrow",
    "tensorflow-datasets",
)


@command("doctor", heavy=True)
def doctor() -> Output:
    """Check versions, devices, threads, caches and plugins; exit 1 if something is wrong."""
    import tensorflow as tf

    from kerasft import assets, host

    installed = {name: _version(name) for name in _PACKAGES}
    devices = [device.name for device in tf.config.list_physical_devices()]
    loaded = host.load()
    broken = [str(plugin) for plugin in loaded.plugins if plugin.status in ("failed", "conflict")]
    cache = assets.cache_dir()
    problems = [*broken]
    if not _usable(cache):
        problems.append(f"the cache {cache} cannot be written; set KERASFT_CACHE")
    if not loaded.backbones:
        problems.append("no backbone is installed or loaded")
    data: dict[str, Any] = {
        "versions": installed,
        "devices": devices,
        "cpus": os.cpu_count(),
        "threads": {
            name: os.environ[name] for name in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS") if name in os.environ
        },
        "cache": {
            "path": str(cache),
            "bytes": sum(entry.bytes for entry in assets.entries()),
            "features_bytes": sum(path.stat().st_size for path in (cache / "features").rglob("*.bin")),
        },
        "plugins": [plugin.to_dict() for plugin in loaded.plugins],
        "problems": problems,
    }

    def display() -> None:
        show.table(("package", "version"), installed.items())
        print(f"\ndevices  {', '.join(devices)}; {os.cpu_count()} CPUs")
        kept = data["cache"]
        print(f"cache    {cache}, {size(kept['bytes'])}, {_free(cache)} free")
        if kept["features_bytes"]:
            print(f"         outputs of frozen layers in {cache / 'features'}: {size(kept['features_bytes'])}")
        for plugin in loaded.plugins:
            print(f"plugin   {plugin.id}: {plugin.status} ({plugin.distribution} {plugin.version})")
        print("\n" + ("\n".join(f"problem: {problem}" for problem in problems) or "No problem found."))

    return Output(data, display, exit_code=1 if problems else 0)


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"


def _usable(path: Path) -> bool:
    """Whether files can be written to a directory that may not exist yet."""
    nearest = next(p for p in (path, *path.parents) if p.exists())
    return nearest.is_dir() and os.access(nearest, os.W_OK)


def _free(path: Path) -> str:
    existing = next(p for p in (path, *path.parents) if p.exists())
    return f"{shutil.disk_usage(existing).free / 1e9:.0f} GB"


command = doctor
