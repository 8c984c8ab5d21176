"""Reading handles: one small grammar, and errors that say what was received and what was expected."""

import difflib
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from kerasft.assets.problems import HandleError

FORMS = {
    "hf": "hf://org/repo[@revision][/path]",
    "kaggle": "kaggle://user/model/framework/variation[/version]",
    "pypi": "pypi://dist==version/path/inside/wheel",
    "tfds": "tfds://name[/config][:version]",
}
_WORD = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9_])?"
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, kw_only=True)
class Handle:
    """A handle taken apart.

    Args:
        scheme: ``local``, ``hf``, ``kaggle``, ``pypi`` or ``tfds``.
        name: what the source calls it: a path, ``org/repo``, a distribution, ``dataset[/config]`` …
        version: revision or version; empty when the handle leaves it open (``main`` for hf).
        path: a folder or file inside, with ``/``; empty for everything.
        sha256: lower-case hex digest that pins the download; empty when not pinned so.
    """

    scheme: str
    name: str
    version: str = ""
    path: str = ""
    sha256: str = ""

    @property
    def text(self) -> str:
        """The handle in one normal spelling, without the sha256: what an entry of the cache is known by."""
        if self.scheme == "local":
            return self.name
        inner = f"/{self.path}" if self.path else ""
        if self.scheme == "hf":
            return f"hf://{self.name}@{quote(self.version, safe='')}{inner}"
        if self.scheme == "pypi":
            return f"pypi://{self.name}=={self.version}{inner}"
        separator = "/" if self.scheme == "kaggle" else ":"
        return f"{self.scheme}://{self.name}" + (f"{separator}{self.version}" if self.version else "")


def parse(text: str) -> Handle:
    """Takes a handle apart, without looking at any disk or network.

    Raises:
        HandleError: it is none of the forms; the message shows what was received and what is expected.
    """
    if not isinstance(text, str) or not text.strip() or any(ord(c) < 32 for c in text):
        raise HandleError(f"{text!r} is not a handle. Expected ./dir or one of: {', '.join(FORMS.values())}.")
    body, digest = _split_pin(text)
    if body.startswith(("./", "../", "/", "~")) or body in (".", "..") or Path(body).is_absolute():
        return Handle(scheme="local", name=body, sha256=digest)
    scheme, mark, rest = body.partition("://")
    if not mark or scheme not in FORMS:
        raise _unknown_scheme(text)
    handle = _READERS[scheme](rest, text)
    if digest and scheme not in ("pypi", "hf"):
        raise _malformed(scheme, text, "#sha256 pins one file, and this handle names many")
    if digest and scheme == "hf" and not handle.path:
        raise _malformed(scheme, text, "#sha256 pins one file: name it, or pin the repository by @revision")
    return Handle(**{**vars(handle), "sha256": digest})


def _split_pin(text: str) -> tuple[str, str]:
    body, mark, fragment = text.rpartition("#")
    if not mark or (not fragment.startswith("sha256") and "://" not in body):
        return text, ""  # a local path may contain '#'
    name, _, digest = fragment.partition("=")
    if name != "sha256" or not _SHA256.fullmatch(digest.lower()):
        raise HandleError(f"{text!r}: #{fragment} is not a pin. Expected #sha256= and 64 hex digits.")
    return body, digest.lower()


def _hf(rest: str, text: str) -> Handle:
    match = re.fullmatch(rf"({_WORD}/{_WORD})(?:@([^/@]+))?(?:/(.*))?", rest)
    if not match:
        raise _malformed("hf", text, "expected an organisation and a repository")
    name, revision, path = match.groups()
    # A revision with slashes (refs/pr/1) is written with %2F, as in Hugging Face's own hf:// addresses.
    revision = unquote(revision or "main")
    if any(c.isspace() or c in "\\:?*[" for c in revision) or ".." in revision:
        raise _malformed("hf", text, f"{revision!r} is not a revision")
    return Handle(scheme="hf", name=name, version=revision, path=_inner("hf", path or "", text))


def _kaggle(rest: str, text: str) -> Handle:
    match = re.fullmatch(rf"({_WORD}/{_WORD}/{_WORD}/{_WORD})(?:/([1-9][0-9]*))?/?", rest)
    if not match:
        raise _malformed("kaggle", text, "expected four names and, optionally, a version number")
    return Handle(scheme="kaggle", name=match[1], version=match[2] or "")


def _pypi(rest: str, text: str) -> Handle:
    requirement, _, path = rest.partition("/")
    match = re.fullmatch(rf"({_WORD})==([A-Za-z0-9][A-Za-z0-9.!+_-]*)", requirement)
    if not match:
        dist = re.match(_WORD, requirement)
        exact = f"write {dist[0]}==<exact version>: an open version gives other data tomorrow" if dist else ""
        raise _malformed("pypi", text, exact or "expected a distribution and its exact version")
    if not path.strip("/"):
        raise _malformed("pypi", text, "say which folder or file of the wheel")
    name = re.sub(r"[-_.]+", "-", match[1]).lower()  # one spelling for all, as PEP 503 has it
    return Handle(scheme="pypi", name=name, version=match[2], path=_inner("pypi", path, text))


def _tfds(rest: str, text: str) -> Handle:
    match = re.fullmatch(rf"([a-z]\w*(?:/{_WORD})?)(?::(\d+\.\d+\.\d+))?", rest)
    if not match:
        raise _malformed("tfds", text, "names are lower_case, versions are three numbers such as 1.0.0")
    return Handle(scheme="tfds", name=match[1], version=match[2] or "")


_READERS = {"hf": _hf, "kaggle": _kaggle, "pypi": _pypi, "tfds": _tfds}


def _inner(scheme: str, path: str, text: str) -> str:
    path = path.removesuffix("/")
    if path and (any(part in ("", ".", "..") for part in path.split("/")) or "\\" in path):
        raise _malformed(scheme, text, f"{path!r} is not a path inside it")
    return path


def _malformed(scheme: str, text: str, why: str) -> HandleError:
    return HandleError(f"Malformed handle {text!r}: {why}.\nExpected {FORMS[scheme]}.")


def _unknown_scheme(text: str) -> HandleError:
    scheme = re.match(r"([A-Za-z][\w+.-]*):/*(.*)", text)
    if not scheme:
        return HandleError(
            f"{text!r} is not a handle: write ./{text} for a local path, or hf://{text} for a repository."
        )
    near = difflib.get_close_matches(scheme[1].lower(), FORMS, n=1, cutoff=0.4)
    hint = f"Did you mean {near[0]}://{scheme[2]}? " if near else ""
    known = ", ".join(f"{name}://" for name in FORMS)
    return HandleError(f"{text!r} starts with no known scheme. {hint}Known: {known}, or ./dir for local files.")
