"""Third-party plugins as pip leaves them: a module and the metadata of its distribution."""

from pathlib import Path


def install(site: Path, id: str, source: str, version: str = "2.5") -> Path:
    """Puts the plugin `id` of the distribution ``acme-<id>`` into a directory for ``sys.path``, and returns that."""
    module = f"acme_{id}"
    metadata = site / f"{module}-{version}.dist-info"
    metadata.mkdir(parents=True)
    (site / f"{module}.py").write_text(source)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: acme-{id}\nVersion: {version}\n")
    (metadata / "entry_points.txt").write_text(f"[kerasft.v1]\n{id} = {module}\n")
    return site


BROKEN = 'raise RuntimeError("no counting today")'

TALKATIVE = """
import sys
import kerasft

print("hello from a plugin")
print("hello again", file=sys.stderr)

@kerasft.hookimpl
def kerasft_tasks():
    print("hello from a hook")
    yield kerasft.TaskSpec(name="counting", requires=("pooled",), factory="acme_talkative:counting")

def counting():
    raise ZeroDivisionError("counted too far")
"""

# Writes down what it is told; interrupts when asked.
WATCHING = """
import os, signal
import kerasft

@kerasft.hookimpl
def kerasft_callbacks(run):
    import keras

    if os.environ.get("ACME_INTERRUPTS") == "before training":
        signal.raise_signal(signal.SIGINT)

    class Watch(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            (run.directory / "watched.txt").write_text(f"batch {batch} of {run.config['backbone']}")

    yield Watch()
"""
