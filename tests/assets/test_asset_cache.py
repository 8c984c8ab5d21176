import json
import logging
from pathlib import Path

import pytest
from asset_wheels import tree

from kerasft.assets import CacheError, Entry, cache_dir, entries, parse, remove
from kerasft.assets.cache import Fetched, fill, lookup
from kerasft.assets.handle import Handle
from kerasft.errors import UnknownNameError

HANDLE = parse("pypi://a==1/x")


def put(handle: Handle, work: Path, files: Path) -> Fetched:
    (work / "download.whl").write_bytes(b"not kept")
    (files / "sub").mkdir()
    (files / "sub" / "a.txt").write_bytes(b"four")
    return Fetched(sha256="ab" * 32, download_bytes=8, skipped=("b.py",))


def never(handle: Handle, work: Path, files: Path) -> Fetched:
    raise AssertionError("must not be fetched")


def leftovers(cache: Path) -> list[Path]:
    return list((cache / "assets" / "partial").iterdir())


def test_an_entry_is_kept_with_what_is_known_about_it(cache: Path) -> None:
    entry = fill(HANDLE, put)
    assert entry == lookup(HANDLE) == fill(HANDLE, never)
    assert entries() == [entry]
    assert tree(entry.path) == {"sub/a.txt": b"four"}
    assert (entry.handle, entry.bytes, entry.sha256) == ("pypi://a==1/x", 4, "ab" * 32)
    about = json.loads((entry.path.parent / "entry.json").read_text())
    assert about["files"] == {"sub/a.txt": 4}
    assert about["skipped"] == ["b.py"]
    assert about["download_bytes"] == 8
    assert about["date"].endswith("+00:00")
    assert leftovers(cache) == []


def test_a_failed_fetch_leaves_nothing(cache: Path) -> None:
    def broken(handle: Handle, work: Path, files: Path) -> Fetched:
        put(handle, work, files)
        raise RuntimeError("line dropped")

    with pytest.raises(RuntimeError):
        fill(HANDLE, broken)
    assert entries() == []
    assert leftovers(cache) == []
    assert fill(HANDLE, put).bytes == 4


@pytest.mark.parametrize("damage", ["truncate", "delete", "metadata", "no metadata"])
def test_a_damaged_entry_is_said_and_fetched_again(cache: Path, caplog: pytest.LogCaptureFixture, damage: str) -> None:
    entry = fill(HANDLE, put)
    data, about = entry.path / "sub" / "a.txt", entry.path.parent / "entry.json"
    if damage == "truncate":
        data.write_bytes(b"")
    elif damage == "delete":
        data.unlink()
    elif damage == "metadata":
        about.write_text("{")
    else:
        about.unlink()
    assert entries() == []
    with caplog.at_level(logging.WARNING, "kerasft.assets"):
        assert lookup(HANDLE) is None
    assert "is damaged" in caplog.text
    assert tree(fill(HANDLE, put).path) == {"sub/a.txt": b"four"}
    assert leftovers(cache) == []


def test_an_entry_that_is_not_what_the_pin_says_is_not_used(cache: Path) -> None:
    fill(HANDLE, put)
    assert lookup(parse(f"pypi://a==1/x#sha256={'ab' * 32}")) is not None
    assert lookup(parse(f"pypi://a==1/x#sha256={'cd' * 32}")) is None


def test_entries_are_removed_by_handle_or_pattern(cache: Path) -> None:
    for text in ("pypi://a==1/x", "pypi://a==1/y", "hf://org/repo@v1"):
        fill(parse(text), put)
    assert [e.handle for e in remove("pypi://A==1/x#sha256=" + "ab" * 32)] == ["pypi://a==1/x"]
    assert [e.handle for e in entries()] == ["hf://org/repo@v1", "pypi://a==1/y"]
    assert [e.handle for e in remove("*")] == ["hf://org/repo@v1", "pypi://a==1/y"]
    assert list((cache / "assets" / "entries").iterdir()) == []
    assert leftovers(cache) == []


def test_removing_what_is_not_there_suggests_what_is(cache: Path) -> None:
    fill(HANDLE, put)
    with pytest.raises(UnknownNameError, match=r"Did you mean pypi://a==1/x\?"):
        remove("pypi://a==1/z")
    with pytest.raises(UnknownNameError, match="Known: pypi://a==1/x"):
        remove("something else")
    assert isinstance(entries()[0], Entry)


def test_an_empty_cache_has_no_entries(cache: Path) -> None:
    assert entries() == []
    assert not cache.exists()


def test_a_cache_that_cannot_be_written_is_said(cache: Path) -> None:
    cache.write_text("a file where the directory should be")  # root may write anywhere: chmod proves nothing
    with pytest.raises(CacheError) as caught:
        fill(HANDLE, put)
    message = str(caught.value)
    assert str(cache) in message
    assert "KERASFT_CACHE" in message
    assert entries() == []


def test_the_cache_directory_is_the_systems_unless_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KERASFT_CACHE", raising=False)
    assert cache_dir().name in ("kerasft", "Cache")
    monkeypatch.setenv("KERASFT_CACHE", "~/mine")
    assert cache_dir() == Path.home() / "mine"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERASFT_CACHE", "here")
    assert cache_dir() == tmp_path / "here"
