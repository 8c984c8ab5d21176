"""Every command of docs/howto.md runs as it stands there, in its order."""

import json
from pathlib import Path

import pages
import pytest


@pytest.mark.slow
def test_commands_run_in_order(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    pages.write_reviews(tmp_path)
    pages.write_photos(tmp_path / "photos")
    _write_checkpoint(Path("checkpoint"))

    printed = {command: pages.run(command, monkeypatch, capsys) for command in pages.commands("docs/howto.md")}

    assert len(printed) >= 10
    for command, out in printed.items():
        if " predict runs/names " in command:
            assert [list(json.loads(line)) for line in out.splitlines()] == [["entities"]] * 2
        elif " predict runs/boxes " in command:
            assert [list(json.loads(line)) for line in out.splitlines()] == [["objects"]] * 2
            assert sorted(path.name for path in Path("drawn").iterdir()) == ["1.png", "3.png"]
        elif " data check " in command:
            assert ("names.jsonl" in out and "person" in out) or ("boxes.csv" in out and "box" in out)
        elif " predict " in command:
            assert [set(json.loads(line)) for line in out.splitlines()] == [{"label", "score", "probabilities"}] * 2
        elif " grid " in command:
            assert Path(out.strip()).suffix == ".png" and Path(out.strip()).stat().st_size > 1000
        elif "--json" not in command:  # that goes past what capsys sees
            says = {"finetune": "Report: runs/", "resume": "Report: runs/", "export": "verified on"}
            says |= {"plan": "Suggested batch size: ", "why": "source: ", "lr": "learning rate: "}
            (wanted,) = (text for name, text in says.items() if f"kerasft {name} " in command)
            assert wanted in out, command


def _write_checkpoint(directory: Path) -> None:
    """A KerasHub preset with random weights, as the page's ``./checkpoint``."""
    import keras_hub

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *"abcdefghijklmnopqrstuvwxyz"]
    keras_hub.tokenizers.BertTokenizer(vocabulary, lowercase=True).save_to_preset(directory)
    keras_hub.models.BertBackbone(
        vocabulary_size=len(vocabulary), num_layers=1, num_heads=2, hidden_dim=16, intermediate_dim=32
    ).save_to_preset(directory)
