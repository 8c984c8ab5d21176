"""Wheels written by hand, honest and malicious."""

import hashlib
import stat
import zipfile
from pathlib import Path

FILES = {
    "news/data/sport/001.txt": b"a goal",
    "news/data/tech/001.txt": b"a chip",
    "news/data/labels.json": b"[1, 2]",
    "news/data/__init__.py": b"raise SystemExit('never run')",
    "news/data/fast.so": b"\x7fELF",
    "news/data/old.pkl": b"cos\nsystem\n",
    "news/other/readme.md": b"not asked for",
    "news/__init__.py": b"",
}
HANDLE = "pypi://news-data==1.0/news/data"


def write_wheel(folder: Path, files: dict[str, bytes] = FILES, name: str = "news_data") -> Path:
    """An installable wheel of version 1.0 with these files, compressed."""
    wheel = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    about = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {**files, **about}.items():
            archive.writestr(path, content)
    return wheel


def add_member(wheel: Path, name: str, content: bytes = b"x", mode: int = 0, **fields: int) -> Path:
    """Appends a member that no honest tool would write."""
    member = zipfile.ZipInfo("placeholder")
    member.filename = name  # set afterwards: the constructor tidies names up
    member.external_attr = mode << 16
    for key, value in fields.items():
        setattr(member, key, value)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr(member, content)
    return wheel


def link(wheel: Path, name: str, target: str) -> Path:
    return add_member(wheel, name, target.encode(), mode=stat.S_IFLNK | 0o777)


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its content."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
