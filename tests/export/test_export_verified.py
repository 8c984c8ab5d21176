"""An export that is not the model is refused, and leaves nothing behind."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from command_line import Answer
from small_runs import LABELS, Trained

import kerasft
from kerasft.engine.directory import RunDirectory
from kerasft.engine.run import Run
from kerasft.errors import ExportError
from kerasft.export.savedmodel import compare, serve_in_fresh_process
from kerasft_classification.single_label import SingleLabel

Cli = Callable[..., Answer]


class Drifting(SingleLabel):
    """Breaks the rule that `decode` is graph operations only: every trace of it gives other answers."""

    traces = 0

    def decode(self, logits, alignment):
        self.traces += 1
        return super().decode(logits * (-1.0) ** self.traces, alignment)


def content(directory: Path) -> dict[str, bytes]:
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_an_export_that_answers_otherwise_is_refused_and_the_older_one_stays(copied: Path, tmp_path: Path) -> None:
    model = kerasft.build("bert/tiny", Drifting(labels=LABELS), backbone_options={"length": 16})
    out = tmp_path / "exports" / "news"
    out.mkdir(parents=True)
    (out / "kerasft_export.json").write_text("{}")
    (out / "saved_model.pb").write_text("old")
    before = content(out)
    with pytest.raises(ExportError, match="differs from the trained one on 'the m is good 1000': label is"):
        Run(RunDirectory(copied), model).export(out, overwrite=True)
    assert content(out) == before
    assert [path.name for path in out.parent.iterdir()] == ["news"]


@pytest.mark.usefixtures("exporting")
def test_an_export_that_needs_kerasft_does_not_load(exported: Path, tmp_path: Path) -> None:
    directory = Path(shutil.copytree(exported, tmp_path / "copy"))
    manifest = json.loads((directory / "kerasft_export.json").read_text())
    manifest["import_before_loading"] = ["kerasft_bert.tokenizer"]
    (directory / "kerasft_export.json").write_text(json.dumps(manifest))
    with pytest.raises(ExportError) as raised:
        serve_in_fresh_process(directory, ["good"])
    assert str(raised.value).startswith(f"{directory} does not load without kerasft:")
    assert "an exported model must not need kerasft_bert" in str(raised.value)


GOOD = {"label": np.array([b"a", b"b"], object), "score": np.array([0.5, 0.75], np.float32)}


def test_equal_answers_pass_and_numbers_may_differ_in_the_last_digits() -> None:
    compare(GOOD, {"label": np.array(["a", "b"]), "score": np.array([0.50005, 0.74995])}, ["x", "y"])


@pytest.mark.parametrize(
    ("received", "says"),
    [
        ({"label": ["a", "b"], "score": [0.5, 0.7502]}, "on 'y': score is 0.7502, expected 0.75"),
        ({"label": ["a", "b"], "score": [float("nan"), 0.75]}, "on 'x': score is nan"),
        ({"label": ["a", "c"], "score": [0.5, 0.75]}, "on 'y': label is c, expected b"),
        ({"label": ["a"], "score": [0.5]}, "expected shape"),
        ({"label": ["a", "b"]}, "Expected the outputs"),
    ],
)
def test_other_answers_do_not_pass(received: dict[str, list], says: str) -> None:
    with pytest.raises(ExportError, match=says):
        compare(GOOD, {name: np.array(values) for name, values in received.items()}, ["x", "y"])


def test_what_is_not_an_export_is_never_replaced(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "saved_model.pb").write_text("mine")
    for out in (tmp_path / "mine", tmp_path / "mine" / "saved_model.pb"):
        for overwrite in ((), ("--overwrite",)):
            answer = cli("export", trained.directory, "--out", out, *overwrite)
            assert answer.code == 1
            assert answer.stderr == (
                f"kerasft: {out} exists and is not an export; nothing was changed. Choose another --out.\n"
            )
    assert content(tmp_path) == {"mine/saved_model.pb": b"mine"}


def test_an_export_is_replaced_only_if_told(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "kerasft_export.json").write_text("{}")
    answer = cli("export", trained.directory, "--out", tmp_path / "old")
    assert answer.code == 1
    assert "already holds an export. Choose another --out, or use --overwrite." in answer.stderr
    assert content(tmp_path) == {"old/kerasft_export.json": b"{}"}


def test_a_place_that_cannot_be_written(trained: Trained, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "file").write_text("")
    answer = cli("export", trained.directory, "--out", tmp_path / "file" / "out")
    assert answer.code == 1
    assert answer.stderr == f"kerasft: Cannot write {tmp_path}/file/out: Not a directory.\n"


@pytest.mark.parametrize("room", [50_000, 1_000_000])  # for the weights; for the weights and not for the graph
def test_a_full_disk(room: int, trained: Trained, tmp_path: Path, cli: Cli) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        answer = cli("export", trained.directory, "--out", tmp_path / "out")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answer.code == 1
    assert answer.stderr == f"kerasft: Cannot write {tmp_path}/out: File too large.\n"
    assert not list(tmp_path.iterdir())
