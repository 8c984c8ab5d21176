import logging
from pathlib import Path

import pytest
from asset_wheels import HANDLE, sha256, tree, write_wheel

from kerasft.assets import CacheError, HandleError, resolve, resolve_first
from kerasft.errors import AssetError

REFUSED = "hf://org/repo@0123456789012345678901234567890123456789"


@pytest.fixture(autouse=True)
def no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "http://127.0.0.1:9")  # nothing listens there
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)


def test_local_paths_are_used_where_they_are(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for handle in ("./data", str(tmp_path / "data"), "~/data", "./data/../data"):
        assert resolve(handle, offline=True).samefile(tmp_path / "data")
        assert resolve(handle).is_absolute()
    assert resolve("./data/a.txt").read_text() == "a"
    assert not cache.exists()


def test_a_missing_local_path_suggests_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("")
    with pytest.raises(AssetError) as caught:
        resolve(str(tmp_path / "tran.csv"))
    assert str(caught.value).endswith("tran.csv; beside it: train.csv")


def test_a_local_file_can_be_pinned(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("a")
    assert resolve(f"{file}#sha256={sha256(file)}") == file
    with pytest.raises(AssetError, match="is not the pinned one"):
        resolve(f"{file}#sha256={'0' * 64}")
    with pytest.raises(AssetError, match="is a directory"):
        resolve(f"{tmp_path}#sha256={'0' * 64}")


def test_the_next_source_is_tried_after_one_line(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_wheel(index)
    with caplog.at_level(logging.INFO, "kerasft.assets"):
        path, handle = resolve_first([REFUSED, HANDLE], "bert/test")
    assert handle == HANDLE
    assert len(tree(path)) == 3
    skipped, downloading, kept = caplog.messages
    assert skipped == f"Skipped {REFUSED}: the hub did not answer: [Errno 111] Connection refused"
    assert downloading.startswith(f"Downloading {HANDLE}")
    assert str(path) in kept


def test_a_source_in_the_cache_wins_before_any_network(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_wheel(index)
    path = resolve(HANDLE)
    caplog.clear()
    with caplog.at_level(logging.INFO, "kerasft.assets"):
        assert resolve_first([REFUSED, HANDLE], "bert/test") == (path, HANDLE)
    assert caplog.messages == []


def test_when_all_sources_fail_one_error_lists_them(index: Path, tmp_path: Path) -> None:
    missing = str(tmp_path / "nowhere")
    with pytest.raises(AssetError) as caught:
        resolve_first([missing, REFUSED, HANDLE], "bert/test")
    lines = str(caught.value).splitlines()
    assert lines[0] == "Cannot get bert/test: none of its 3 sources answered."
    assert [line.strip() for line in lines[1:7:2]] == [missing, REFUSED, HANDLE]
    assert "there is no file or directory" in lines[2]
    assert "Connection refused" in lines[4]
    assert "No matching distribution" in lines[6]
    assert "HF_ENDPOINT" in lines[7] and "PIP_INDEX_URL" in lines[7] and "./dir" in lines[7]
    assert len(lines) == 8


def test_offline_with_an_empty_cache_is_one_clear_error(
    index: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERASFT_OFFLINE", "1")
    with pytest.raises(AssetError) as caught:
        resolve_first([REFUSED, HANDLE], "bert/test")
    message = str(caught.value)
    assert message.count("not in the cache, and KERASFT_OFFLINE forbids the network") == 2
    assert str(cache) in message and "Run once with a network" in message
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_stops_at_once(index: Path, cache: Path) -> None:
    cache.write_text("")
    write_wheel(index)
    with pytest.raises(CacheError):
        resolve_first([HANDLE, REFUSED], "bert/test")


def test_malformed_sources_and_no_source_are_said(cache: Path) -> None:
    with pytest.raises(HandleError, match="hff"):
        resolve_first([HANDLE, "hff://a/b"], "bert/test")
    with pytest.raises(AssetError, match="Cannot get bert/test: no source is named"):
        resolve_first([], "bert/test")
