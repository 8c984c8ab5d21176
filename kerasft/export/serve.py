"""Serves an exported model from the command line, with TensorFlow and nothing of ours.

    python serve.py DIRECTORY < inputs.json > answers.json

A script, not a module to import: it refuses to load kerasft, its plugins and keras_hub, which proves that an export
needs none of them. (keras itself is a dependency of tensorflow, which looks for it when imported.) Inputs are a JSON
list of strings, or of ``{"base64": …}`` for images; answers are ``{output name: [one value per input]}``.
"""

import base64
import importlib
import json
import sys
from pathlib import Path

FORBIDDEN = ("kerasft", "keras_hub", "keras_nlp")


class _Refuse:
    """An import hook that makes the forbidden packages impossible to import."""

    def find_spec(self, name, path=None, target=None):  # type: ignore[no-untyped-def]
        """Raises ImportError for them; None leaves anything else to the ordinary finders."""
        package = name.partition(".")[0]
        if package in FORBIDDEN or package.startswith("kerasft_"):
            raise ImportError(f"an exported model must not need {package}")


def main(directory: str) -> None:
    """Loads, serves, prints."""
    sys.meta_path.insert(0, _Refuse())
    tf = importlib.import_module("tensorflow")
    manifest = json.loads((Path(directory) / "kerasft_export.json").read_text(encoding="utf-8"))
    for module in manifest["import_before_loading"]:
        importlib.import_module(module)  # registers the operations of the graph
    serve = tf.saved_model.load(directory).signatures["serving_default"]
    inputs = [base64.b64decode(v["base64"]) if isinstance(v, dict) else v for v in json.load(sys.stdin)]
    answers = serve(**{manifest["input"]["name"]: tf.constant(inputs, tf.string)})
    plain = {name: _plain(tensor.numpy().tolist()) for name, tensor in answers.items()}
    json.dump(plain, sys.stdout)


def _plain(value):  # type: ignore[no-untyped-def]
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8") if isinstance(value, bytes) else value


if __name__ == "__main__":
    main(sys.argv[1])
