"""Names of the package `kerasft`."""

import pytest

import kerasft


@pytest.mark.parametrize("name", kerasft.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(kerasft, name).__doc__


def test_dir_lists_them() -> None:
    assert dir(kerasft) == sorted(kerasft.__all__)


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'kerasft' has no attribute 'finetun'"):
        kerasft.finetun  # noqa: B018
