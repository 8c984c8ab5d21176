"""Hubs: their real client libraries against servers on this machine, and against none."""

import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from asset_hubs import COMMIT, KAGGLE, REPOSITORY, WEIGHTS, Hub, HuggingFace, Kaggle, serve
from asset_wheels import tree

from kerasft.assets import entries
from kerasft.assets.network import connection_problem, within

Start = Callable[..., "subprocess.Popen[str]"]
SAFE = ["config.json", "vocab.txt", "model.safetensors", "1_Pooling/config.json"]


@pytest.fixture
def hub() -> Iterator[Hub]:
    with serve(HuggingFace) as server:
        yield server


@pytest.fixture
def kaggle() -> Iterator[Hub]:
    try:
        with serve(Kaggle, port=7777) as server:  # the only local server that kagglehub knows of
            yield server
    except OSError:
        pytest.skip("port 7777 is taken")


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """An address whose packets are dropped: the queue of a server that accepts nobody is full."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        callers = [socket.socket() for _ in range(4)]
        for caller in callers:
            caller.setblocking(False)
            caller.connect_ex(server.getsockname())
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        for caller in callers:
            caller.close()


def ask(start: Start, handle: str, **environment: str) -> tuple[str, str]:
    out, err = start(f"show({handle!r})", **environment).communicate(timeout=60)
    return out.strip(), err


def test_a_branch_is_downloaded_as_the_commit_it_is(cache: Path, start: Start, hub: Hub) -> None:
    out, err = ask(start, "hf://org/good", HF_ENDPOINT=hub.url)
    assert tree(Path(out)) == {name: REPOSITORY[name] for name in SAFE}
    assert [(e.handle, e.resolved) for e in entries()] == [("hf://org/good@main", COMMIT)]
    assert f"Downloading hf://org/good@main (now commit {COMMIT}, 4 files, 0.0 MB) to {cache}" in err
    asked = len(hub.asked)
    assert ask(start, "hf://org/good@main", HF_ENDPOINT=hub.url) == (out, "")
    assert len(hub.asked) == asked


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("1_Pooling", ["1_Pooling/config.json"]),
        ("vocab.txt", ["vocab.txt"]),
        ("tf_model.h5", ["tf_model.h5"]),
    ],
)
def test_a_folder_or_file_of_a_commit(cache: Path, start: Start, hub: Hub, path: str, names: list[str]) -> None:
    out, _ = ask(start, f"hf://org/good@{COMMIT}/{path}", HF_ENDPOINT=hub.url)
    assert out.endswith(path)
    [entry] = entries()
    assert entry.resolved == ""
    assert tree(entry.path if entry.path.is_dir() else entry.path.parent) == {
        name.removeprefix("1_Pooling/"): REPOSITORY[name] for name in names
    }


def test_what_a_repository_cannot_give_is_said(cache: Path, start: Start, hub: Hub) -> None:
    reasons = {
        "hf://org/nothing": "there is no such repository, or it is private (set HF_TOKEN)",
        "hf://org/good@v9": "the repository has no revision 'v9'",
        "hf://org/good/nowhere": "the repository has no safe model files at 'nowhere'",
        "hf://org/good/train.py": "no safe model files at 'train.py', only train.py",
        "hf://org/pickles": "no safe model files at '/', only pytorch_model.bin, train.py",
        "hf://org/damaged": "model.safetensors was damaged in transit: its sha256 is not",
        f"hf://org/good/vocab.txt#sha256={'0' * 64}": f"is not the pinned one: expected {'0' * 64}",
    }
    out, _ = start(f"for handle in {list(reasons)}: show(handle)", HF_ENDPOINT=hub.url).communicate()
    said = [line for line in out.splitlines() if line.startswith("AssetError")]
    for handle, line in zip(reasons, said, strict=True):
        assert handle in line and reasons[handle] in line
    assert entries() == []
    assert not list((cache / "assets" / "partial").iterdir())


def test_a_hub_that_is_not_there_costs_little_time(cache: Path, start: Start) -> None:
    began = time.monotonic()
    out, err = ask(start, f"hf://org/good@{COMMIT}", HF_ENDPOINT="http://127.0.0.1:9")
    assert "the hub did not answer: [Errno 111] Connection refused" in out
    assert "Retrying" not in err
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("kind", ["silent", "black_hole"])
def test_a_hub_that_says_nothing_is_given_up_in_time(
    cache: Path, start: Start, request: pytest.FixtureRequest, kind: str
) -> None:
    began = time.monotonic()
    url = request.getfixturevalue(kind)
    out, _ = ask(start, f"hf://org/good@{COMMIT}", HF_ENDPOINT=url, HF_HUB_ETAG_TIMEOUT="1")
    assert "the hub did not answer" in out
    assert time.monotonic() - began < 10


def test_huggingfaces_own_offline_switch_is_named(cache: Path, start: Start) -> None:
    assert "HF_HUB_OFFLINE is set" in ask(start, "hf://org/good", HF_HUB_OFFLINE="1")[0]


def test_connection_problems_are_found_in_time(hub: Hub, black_hole: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert connection_problem(hub.url, 2) == ""
    assert connection_problem("http://127.0.0.1:9", 2) == "127.0.0.1 cannot be reached: Connection refused"
    began = time.monotonic()
    assert "cannot be reached" in connection_problem(black_hole, 0.5)
    with pytest.raises(TimeoutError, match=r"no answer within 0\.5 seconds"):
        within(0.5, lambda: time.sleep(5))
    assert time.monotonic() - began < 4
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # the proxy is what must be reached
    monkeypatch.setenv("no_proxy", "")
    assert "Connection refused" in connection_problem("http://nowhere.invalid", 2)
    monkeypatch.setenv("http_proxy", hub.url)
    assert connection_problem("http://nowhere.invalid", 2) == ""


@pytest.mark.parametrize(("version", "resolved"), [("/3", ""), ("", "3")])
def test_a_kaggle_model_keeps_its_safe_files(
    cache: Path, start: Start, kaggle: Hub, version: str, resolved: str
) -> None:
    out, err = ask(start, f"kaggle://user/good/keras/base{version}", KAGGLE_API_ENVIRONMENT="TEST")
    [entry] = entries()
    assert out == str(entry.path), err  # and nothing else on stdout, although kagglehub prints there
    assert entry.resolved == resolved
    assert tree(entry.path) == {name: KAGGLE[name] for name in KAGGLE if name != "saved_model.pb"}
    assert (entry.path / "model.weights.h5").read_bytes() == WEIGHTS


@pytest.mark.parametrize(
    ("model", "reason"), [("pickles", "no safe files, only model.pkl"), ("nothing", "Resource not found")]
)
def test_what_kaggle_cannot_give_is_said(cache: Path, start: Start, kaggle: Hub, model: str, reason: str) -> None:
    out, _ = ask(start, f"kaggle://user/{model}/keras/base/3", KAGGLE_API_ENVIRONMENT="TEST")
    assert out.startswith("AssetError") and reason in out
    assert entries() == []


def test_kaggle_out_of_reach_costs_little_time(cache: Path, start: Start) -> None:
    began = time.monotonic()
    proxy = "http://127.0.0.1:9"
    out, _ = ask(start, "kaggle://user/good/keras/base/3", http_proxy=proxy, https_proxy=proxy, no_proxy="")
    assert "127.0.0.1 cannot be reached: Connection refused" in out
    assert time.monotonic() - began < 10
