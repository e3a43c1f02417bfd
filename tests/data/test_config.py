import dataclasses
import subprocess
import sys

import pytest
from absl import flags

from tfrec.data.config import DataConfig
from tfrec.data.datasets import DATASETS
from tfrec.data.sources import get_source
from tfrec.errors import InputError
from tfrec.settings import define_flags, from_flags

NEXT_CLICK = {"protocol": "next_click"}
SPARK = {"engine": "pyspark"}


@pytest.mark.parametrize("name", DATASETS)
def test_every_dataset_has_a_source(name):
    assert get_source(name).name == name


def test_a_typo_in_the_dataset_gives_near_names():
    with pytest.raises(InputError, match="Did you mean 'ml-1m'"):
        DataConfig(dataset="ml1m")


@pytest.mark.parametrize(
    ("settings", "pattern"),
    [
        ({"since": "2018-01-01"}, "`--since` means nothing with --dataset="),
        ({"item_column": "x"}, "`--item_column` means nothing"),
        ({"dataset": "sequences", "rating_above": 2}, "`--rating_above` means"),
        ({"dataset": "csv", "rating_above": 2}, "no --rating_column"),
        (
            {"protocol": "leave_one_out", "test_fraction": 0.3},
            "`--test_fraction` means nothing with --protocol=leave_one_out",
        ),
        (
            {"engine_url": "yarn"},
            "`--engine_url` means nothing with --engine=d",
        ),
        (
            {**SPARK, "threads": 2},
            "`--threads` means nothing with --engine=pys",
        ),
        (
            {**SPARK, "engine_url": "sc://host"},
            "`--engine_url` must be a Spark",
        ),
        (
            {**SPARK, "engine_url": "yarn", "memory_limit": "3GB"},
            "`--memory_limit` means nothing with --engine_url=yarn",
        ),
        ({"memory_limit": "much"}, "`--memory_limit`.*2GB.*'much'"),
        ({"dataset": "yelp", "since": "2018"}, "`--since` must be a day"),
        ({"dataset": "sessions"}, "`--protocol` must be next_click"),
        (
            {"dataset": "sequences", "protocol": "next_click"},
            "`--protocol` cannot be next_click with --dataset=sequences",
        ),
        (
            {"dataset": "sessions", **NEXT_CLICK, "test_days": 2},
            "`--test_days` means nothing with --dataset=sessions",
        ),
        ({"test_days": 2}, "`--test_days` means nothing with --protocol=hold"),
        ({**NEXT_CLICK, "truncate_before_split": 1}, "no click to predict"),
        ({**NEXT_CLICK, "training_fraction": 1.5}, "`--training_fraction`"),
        ({"test_fraction": 1.0}, "`--test_fraction` must be below 1"),
        ({"min_sequence_length": 0}, "`--min_sequence_length` must be at le"),
        ({"data_dir": "a\udcff"}, r"`--data_dir` .* in UTF-8.*'a\\udcff'"),
        ({"threads": 10**25}, "`--threads` must be at most 4096"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings, pattern):
    with pytest.raises(InputError, match=pattern):
        DataConfig(**settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"dataset": "synthetic", "rating_above": 3.0},
        {"dataset": "csv", "rating_above": 3.0},
        {"protocol": "leave_one_out", "test_fraction": 0.2},
    ],
)
def test_a_flag_without_meaning_is_refused_at_its_default(settings):
    # In Python nobody can tell.
    assert DataConfig(**settings)
    values = flags.FlagValues()
    define_flags(DataConfig, flag_values=values)
    values(["", *(f"--{name}={value}" for name, value in settings.items())])
    with pytest.raises(InputError, match=f"`--{list(settings)[1]}` means noth"):
        from_flags(DataConfig, values)


def test_the_default_folder_changes_with_what_is_prepared():
    base = DataConfig()
    same = dataclasses.replace(base, memory_limit="3GB", threads=1)
    spark = dataclasses.replace(base, engine="pyspark", engine_url="local[2]")
    other = dataclasses.replace(base, truncate_before_split=200)
    assert base.data_path == same.data_path == spark.data_path
    assert base.data_path != other.data_path
    assert base.data_path.name.startswith("ml-latest-small-")


def test_what_an_earlier_version_wrote_of_a_cluster_is_read():
    written = DataConfig(engine="pyspark", engine_url="yarn").to_dict()
    written["memory_limit"] = "2GB"
    assert DataConfig.from_dict(written).engine_url == "yarn"
    assert DataConfig.from_dict({"memory_limit": "2GB"}).memory_limit == "2GB"
    written["memory_limit"] = "3GB"
    with pytest.raises(InputError, match="`--memory_limit` means nothing"):
        DataConfig.from_dict(written)


def test_two_logs_of_one_format_have_two_default_folders():
    first = DataConfig(dataset="csv", raw_dir="a.csv")
    second = DataConfig(dataset="csv", raw_dir="b.csv")
    assert first.data_path != second.data_path
    assert first.identity() == second.identity()


def test_identity_leaves_out_what_the_dataset_does_not_read():
    identity = DataConfig(dataset="sequences").identity()
    assert "sequence_ids" in identity
    assert not {"rating_above", "separator", "raw_dir"} & identity.keys()


def test_settings_and_protocols_are_known_without_heavy_libraries():
    code = (
        "import sys, tfrec.data.config\n"
        "heavy = {'tensorflow', 'ibis', 'duckdb', 'pyarrow', 'numpy'}\n"
        "print(heavy & sys.modules.keys())"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("name", ["raw_dir", "data_dir"])
def test_a_url_is_refused_as_it_was_given(name):
    with pytest.raises(InputError, match=r"`--.*: s3://bucket/a//b\.csv\. "):
        DataConfig(**{name: "s3://bucket/a//b.csv"})


def test_a_pattern_has_a_default_folder_of_its_own():
    plain = DataConfig(dataset="csv", raw_dir="logs")
    chosen = dataclasses.replace(plain, raw_files="*.csv")
    assert plain.data_path != chosen.data_path
    assert plain.identity() == chosen.identity()
