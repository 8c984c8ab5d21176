"""``tfds://`` through the real library, on datasets defined here."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kerasft.assets import entries

pytest.importorskip("tensorflow_datasets")
pytest.importorskip("importlib_resources")

Start = Callable[..., "subprocess.Popen[str]"]
Ask = Callable[[str], tuple[list[str], str]]

TOY = """
import tensorflow_datasets as tfds

class Toy(tfds.core.GeneratorBasedBuilder):
    VERSION = tfds.core.Version("1.2.3")
    FAIL = False

    def _info(self):
        features = tfds.features.FeaturesDict({"text": tfds.features.Text()})
        return self.dataset_info_from_configs(features=features)

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for n in range(10):
            if self.FAIL and n == 5:
                raise ValueError("the source has changed")
            yield n, {"text": f"text {n}"}
"""


@pytest.fixture
def ask(start: Start, tmp_path: Path) -> Callable[[str], tuple[list[str], str]]:
    """Runs code beside a package in which the dataset is defined; gives its lines and its log."""
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "__init__.py").write_text(TOY)

    def run(code: str) -> tuple[list[str], str]:
        code = f"sys.path.insert(0, {str(tmp_path)!r}); from toys import Toy, tfds; {code}"
        out, err = start(code, TF_CPP_MIN_LOG_LEVEL="3").communicate(timeout=120)
        return out.splitlines(), err

    return run


def test_a_dataset_is_prepared_in_the_cache(cache: Path, ask: Ask) -> None:
    read = "print(tfds.builder_from_directory(resolve('tfds://toy')).info.splits['train'].num_examples)"
    out, err = ask(f"show('tfds://toy'); show('tfds://toy', offline=True); {read}")
    [entry] = entries()
    assert out == [str(entry.path), str(entry.path), "10"], err
    assert entry.path.parts[-2:] == ("toy", "1.2.3")
    assert entry.resolved == "1.2.3"
    assert json.loads((entry.path / "dataset_info.json").read_text())["name"] == "toy"
    assert "Downloading tfds://toy (version 1.2.3, prepared by TensorFlow Datasets)" in err


def test_what_cannot_be_prepared_leaves_nothing(cache: Path, ask: Ask) -> None:
    code = "Toy.FAIL = True; show('tfds://toy:1.2.3'); show('tfds://toy:9.9.9'); show('tfds://no_such_toy')"
    out, _ = ask(code)
    reasons = [line for line in out if line.startswith("AssetError")]
    assert "the source has changed" in reasons[0]
    assert "cannot be loaded at version 9.9.9" in reasons[1]
    assert "Dataset no_such_toy not found" in reasons[2]
    assert len(reasons) == 3
    assert entries() == []
    assert not list((cache / "assets" / "partial").iterdir())


def test_servers_out_of_reach_cost_little_time(cache: Path, ask: Ask) -> None:
    code = (
        "Toy.url_infos = {'http://127.0.0.1:9/toy.zip': None}; import time; began = time.monotonic(); "
        "show('tfds://toy'); print(time.monotonic() - began)"
    )
    out, _ = ask(code)
    assert "127.0.0.1 cannot be reached: Connection refused" in out[0]
    assert float(out[-1]) < 10
