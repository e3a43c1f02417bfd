"""Tests of `models.config`: the models that are there, and their labels."""

import pytest

from tfrec.errors import InputError
from tfrec.serving.model_config_file import ModelConfigFile, changing
from tfrec.serving.model_configs import read_model_configs, wanted_versions


@pytest.fixture
def folder(tmp_path):
    """A folder of models: two versions of `pop`, one of `rules`."""
    for name in ("pop/1", "pop/2", "rules/7", "empty"):
        (tmp_path / name).mkdir(parents=True)
    return tmp_path


def served(folder, name="pop"):
    """Returns the versions that a server serves, and the labels."""
    configs = read_model_configs(folder / "models.config", folder)
    (config,) = (each for each in configs if each.name == name)
    assert config.base_path == str(folder / name)
    assert config.model_platform == "tensorflow"
    found = {int(path.name) for path in (folder / name).iterdir()}
    return wanted_versions(config, found), dict(config.version_labels)


def label(folder, label, version, name="pop"):
    file = ModelConfigFile(folder)
    file.add(name)
    labels = file.label(name, label, version)
    assert file.save()
    assert served(folder, name)[1] == labels
    return served(folder, name)


def test_a_new_file_has_every_model_that_is_there(folder):
    file = ModelConfigFile(folder)
    file.add("pop")
    assert file.save()
    assert served(folder) == ({2}, {})
    assert served(folder, "rules") == ({7}, {})
    text = (folder / "models.config").read_text()
    assert text.count("config {") == 2
    assert 'base_path: "/models/pop"' in text


def test_what_stands_in_a_file_is_kept(folder):
    path = folder / "mine.config"
    before = (
        'model_config_list { config { name: "pop" base_path: "gs://x/pop" '
        "model_version_policy { latest { num_versions: 2 } } } } # Mine."
    )
    path.write_text(before)
    file = ModelConfigFile(folder, path)
    file.add("pop")
    assert not file.save()
    assert path.read_text() == before
    # What is not listed may be so on purpose: only what is named is added.
    (folder / "vaser").mkdir()
    file.add("vaser")
    assert file.save()
    text = path.read_text()
    assert 'base_path: "gs://x/pop"' in text
    assert "num_versions: 2" in text
    assert 'name: "vaser"' in text
    assert "rules" not in text


def test_a_canary_stands_beside_what_was_served(folder):
    (folder / "pop" / "3").mkdir()
    assert label(folder, "canary", 3) == ({2, 3}, {"stable": 2, "canary": 3})
    assert ModelConfigFile(folder).served("pop", {1, 2, 3}) == 2
    (folder / "pop" / "4").mkdir()
    assert label(folder, "canary", 4) == ({2, 4}, {"stable": 2, "canary": 4})


def test_what_becomes_stable_ends_the_canary(folder):
    label(folder, "canary", 2)
    (folder / "pop" / "3").mkdir()
    assert label(folder, "stable", 3) == ({3}, {"stable": 3, "canary": 3})


def test_a_first_version_may_be_stable_or_a_canary(folder):
    assert label(folder, "stable", 7, "rules") == ({7}, {"stable": 7})
    (folder / "ease" / "1").mkdir(parents=True)
    assert label(folder, "canary", 1, "ease") == ({1}, {"canary": 1})
    assert ModelConfigFile(folder).served("ease", {1}) == 1
    assert ModelConfigFile(folder).served("no such", {4, 5}) == 5


def test_what_is_served_follows_a_rollback(folder):
    (folder / "models.config").write_text(
        'model_config_list { config { name: "pop" base_path: "/models/pop" '
        'model_platform: "tensorflow" '
        "model_version_policy { specific { versions: 1 } } } }"
    )
    file = ModelConfigFile(folder)
    assert file.served("pop", {1, 2}) == 1
    with pytest.raises(InputError, match=r"that is not in \S+/pop\. Put it"):
        file.served("pop", {2})


def test_a_change_starts_from_what_is_there_then(folder):
    label(folder, "stable", 2)
    with changing(folder) as file:
        file.add("late")
    assert served(folder) == ({2}, {"stable": 2})
    assert ModelConfigFile(folder).served("late", {1}) == 1
    assert 'name: "late"' in (folder / "models.config").read_text()


def test_a_policy_of_all_versions_and_other_labels_are_kept(folder):
    path = folder / "models.config"
    path.write_text(
        'model_config_list { config { name: "pop" base_path: "/models/pop" '
        'model_platform: "tensorflow" model_version_policy { all {} } '
        'version_labels { key: "trial" value: 1 } } }'
    )
    assert label(folder, "canary", 2) == (
        {1, 2},
        {"trial": 1, "stable": 1, "canary": 2},
    )


def test_a_file_that_cannot_be_read_or_written_is_named(folder):
    path = folder / "models.config"
    path.write_text("model_config_list {")
    with pytest.raises(InputError, match=r"models\.config cannot be read as"):
        ModelConfigFile(folder)
    file = ModelConfigFile(folder, folder / "no" / "x.config")
    file.add("pop")
    with pytest.raises(InputError, match="Give `--model_config_file` a folder"):
        file.save()
