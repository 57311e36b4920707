import os

import pytest

from marsgan_tf.plain_paths import PlainFolder


@pytest.mark.parametrize("name", ["plain", "Ünï & Лёд"])
def test_a_name_that_will_do_is_kept(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    assert PlainFolder(folder).path == str(folder)


@pytest.mark.parametrize("name", ["[1]", "a*", "b?", "c\\d"])
def test_another_name_leads_there_until_it_is_dropped(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    plain = PlainFolder(folder)
    path = plain.path
    assert not set("*?[\\") & set(path)
    assert os.path.samefile(path, folder)
    del plain
    assert not os.path.lexists(os.path.dirname(path))
    assert folder.is_dir()
