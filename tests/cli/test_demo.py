"""`kerasft demo`: a real BERT on real news, end to end."""

from collections.abc import Callable
from pathlib import Path

import command_line
import pytest
from command_line import Answer


def test_without_network_and_cache_it_fails_with_one_clear_message(
    tmp_path: Path, cli: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASFT_OFFLINE", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # which kerasft sets too
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "cache"))
    answer = cli("demo", "--json")
    assert answer.code == 1
    message = answer.json["error"]["message"]
    assert answer.stderr == f"kerasft: {message}\n"
    assert message.startswith("Cannot get bert/minilm-l6: ")
    assert "KERASFT_OFFLINE" in message
    assert str(tmp_path / "cache") in message
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.network
def test_it_reaches_its_accuracy_and_a_second_run_downloads_nothing(tmp_path: Path) -> None:
    first = command_line.run("demo", "--json", "--out", "first", cwd=tmp_path)
    assert first.code == 0, first.stderr
    value = first.json
    assert value["metrics"]["accuracy"] >= 0.965
    assert (value["part"], value["examples"]) == ("test", 444)
    assert len(value["confusion"]["labels"]) == len(value["tables"][0]["rows"]) == 5
    low, high = value["intervals"]["accuracy"]
    assert low < value["metrics"]["accuracy"] < high
    assert (tmp_path / value["export"] / "saved_model.pb").exists()
    # What the recipe prints for a person is not on stdout, where the object stands.
    assert "examples/s" in first.stderr
    served = first.stderr.partition("Served from")[2].splitlines()[1:6]
    assert [line.split()[0] for line in served] == ["business", "sports", "politics", "entertainment", "tech"]

    # Now its files are in the cache, wherever that is, and the network is forbidden.
    shorter = ["--epochs", "1", "--length", "8", "--out", "second"]
    second = command_line.run("recipe", "run", "bbc_news_bert", *shorter, cwd=tmp_path, KERASFT_OFFLINE="1")
    assert second.code == 0, second.stderr
    assert "Downloading" not in second.stderr
