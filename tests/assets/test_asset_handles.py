import subprocess
import sys

import pytest

from kerasft.assets import HandleError, parse

DIGEST = "0123456789abcdef" * 4


@pytest.mark.parametrize(
    ("text", "scheme", "name", "version", "path", "normal"),
    [
        ("./data", "local", "./data", "", "", "./data"),
        ("../data", "local", "../data", "", "", "../data"),
        ("/srv/a#b", "local", "/srv/a#b", "", "", "/srv/a#b"),
        ("~/data", "local", "~/data", "", "", "~/data"),
        ("hf://org/repo", "hf", "org/repo", "main", "", "hf://org/repo@main"),
        ("hf://org/repo@v1.0/sub/a.json", "hf", "org/repo", "v1.0", "sub/a.json", None),
        ("hf://org/re.po-x@refs%2Fpr%2F1", "hf", "org/re.po-x", "refs/pr/1", "", None),
        ("hf://org/repo/sub/", "hf", "org/repo", "main", "sub", "hf://org/repo@main/sub"),
        ("kaggle://keras/bert/keras/base_en/3", "kaggle", "keras/bert/keras/base_en", "3", "", None),
        ("kaggle://keras/bert/keras/base_en", "kaggle", "keras/bert/keras/base_en", "", "", None),
        ("pypi://A_b.c==1.0/x/y", "pypi", "a-b-c", "1.0", "x/y", "pypi://a-b-c==1.0/x/y"),
        ("pypi://a==1.0+cpu/x/y.txt", "pypi", "a", "1.0+cpu", "x/y.txt", None),
        ("tfds://ag_news_subset", "tfds", "ag_news_subset", "", "", None),
        ("tfds://imdb_reviews/plain_text:1.0.0", "tfds", "imdb_reviews/plain_text", "1.0.0", "", None),
    ],
)
def test_every_form_is_read(text: str, scheme: str, name: str, version: str, path: str, normal: str | None) -> None:
    handle = parse(text)
    assert (handle.scheme, handle.name, handle.version, handle.path) == (scheme, name, version, path)
    assert handle.text == (normal or text)
    assert parse(handle.text) == handle


@pytest.mark.parametrize("body", ["pypi://a==1/x", "hf://o/r@v/f.json", "./file"])
def test_a_pin_is_kept_apart_from_the_handle(body: str) -> None:
    handle = parse(f"{body}#sha256={DIGEST.upper()}")
    assert handle.sha256 == DIGEST
    assert handle.text == body


@pytest.mark.parametrize(
    ("text", "needle"),
    [
        ("", "is not a handle"),
        ("  ", "is not a handle"),
        ("./a\nb", "is not a handle"),
        ("data/train", "write ./data/train for a local path, or hf://data/train"),
        ("hff://org/repo", "Did you mean hf://org/repo?"),
        ("PyPI://a==1/x", "Did you mean pypi://a==1/x?"),
        ("hf:/org/repo", "Did you mean hf://org/repo?"),
        ("https://example.org/model", "Known: hf://, kaggle://, pypi://, tfds://"),
        ("hf://repo", "expected an organisation and a repository"),
        ("hf://org/repo@", "expected an organisation and a repository"),
        ("hf://org/repo@../x", "is not a revision"),
        ("hf://org/repo/../x", "is not a path inside it"),
        ("kaggle://a/b", "expected four names"),
        ("kaggle://a/b/c/d/latest", "expected four names"),
        ("pypi://dist/x", "write dist==<exact version>"),
        ("pypi://dist>=1/x", "write dist==<exact version>"),
        ("pypi://dist==1.*/x", "write dist==<exact version>"),
        ("pypi://--index-url==1/x", "expected a distribution"),
        ("pypi://dist==1", "say which folder or file"),
        ("pypi://dist==1/a/../../b", "is not a path inside it"),
        ("pypi://dist==1/a\\b", "is not a path inside it"),
        ("tfds://Mnist", "names are lower_case"),
        ("tfds://mnist:3", "versions are three numbers"),
        ("pypi://a==1/x#sha256=12", "Expected #sha256= and 64 hex digits"),
        ("pypi://a==1/x#md5=12", "Expected #sha256= and 64 hex digits"),
        (f"hf://org/repo#sha256={DIGEST}", "name it, or pin the repository by @revision"),
        (f"tfds://mnist#sha256={DIGEST}", "#sha256 pins one file"),
    ],
)
def test_malformed_handles_say_what_was_received_and_expected(text: str, needle: str) -> None:
    with pytest.raises(HandleError) as caught:
        parse(text)
    message = str(caught.value)
    assert needle in message
    assert repr(text) in message
    assert "xpected" in message or "Known" in message or "write ./" in message
    assert caught.value.exit_code == 2


def test_importing_assets_is_light() -> None:
    heavy = [
        "tensorflow",
        "keras",
        "numpy",
        "requests",
        "huggingface_hub",
        "kagglehub",
        "filelock",
        "platformdirs",
    ]
    code = f"import sys, kerasft.assets; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
