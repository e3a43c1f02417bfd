"""Which datasets there are: the line that makes one known by its name.

A dataset is read by the class `class_name` of `tfrec.data.sources.<module>`,
which is imported when it is asked for: flags and help need no DuckDB.
"""

from typing import NamedTuple

from tfrec.data.protocols.next_click import CUTS as SESSION_CUTS
from tfrec.data.protocols.temporal import CUTS as TIME_CUTS


class Dataset(NamedTuple):
    """A format of raw logs that commands know.

    Attributes:
        name: What `--dataset` calls it.
        module: The module of its source.
        class_name: The class of its source.
        paper: Where it comes from; "" if it is the user's own.
        summary: What it is, in a few words.
        settings: Fields of `DataConfig` that are not for every dataset, and
            that this one reads.
    """

    name: str
    module: str
    class_name: str
    paper: str
    summary: str
    settings: tuple[str, ...]


# What a log with times has, a row for each event.
_TIMED = (
    "bad_rows",
    "bad_rows_share",
    "keep_log",
    *SESSION_CUTS,
    *TIME_CUTS,
)
_MOVIELENS = ("movielens", "MovieLensSource", "Harper and Konstan, 2015")
_RATINGS = ("rating_above", *_TIMED)

_DATASETS = (
    Dataset(
        "ml-latest-small",
        *_MOVIELENS,
        "MovieLens, 100,000 ratings of films; downloaded",
        _RATINGS,
    ),
    Dataset(
        "ml-1m",
        *_MOVIELENS,
        "MovieLens, 1 million ratings; downloaded",
        _RATINGS,
    ),
    Dataset(
        "ml-10m",
        *_MOVIELENS,
        "MovieLens, 10 million ratings; downloaded",
        _RATINGS,
    ),
    Dataset(
        "yelp",
        "yelp",
        "YelpSource",
        "Yelp open dataset",
        "reviews of businesses, as JSON lines; Yelp gives them",
        ("since", *_RATINGS),
    ),
    Dataset(
        "yoochoose",
        "yoochoose",
        "YoochooseSource",
        "RecSys Challenge 2015",
        "clicks of the sessions of a shop",
        _TIMED,
    ),
    Dataset(
        "csv",
        "table",
        "TableSource",
        "",
        "your own log: CSV or Parquet files with named columns",
        (
            "raw_files",
            "sequence_column",
            "item_column",
            "timestamp_column",
            "rating_column",
            "separator",
            "timestamps_per_second",
            *_RATINGS,
        ),
    ),
    Dataset(
        "sequences",
        "sequences",
        "SequencesSource",
        "",
        "your own sequences, one in each line of a text file",
        ("sequence_ids",),
    ),
    Dataset(
        "sessions",
        "sessions",
        "SessionsSource",
        "",
        "your own sessions, in a file for training and one for the test",
        ("train_file", "test_file"),
    ),
    Dataset(
        "synthetic",
        "synthetic",
        "SyntheticSource",
        "",
        "made on the spot, with a best score that is known",
        (
            "synthetic_users",
            "synthetic_items",
            "synthetic_clusters",
            "synthetic_length",
            "synthetic_seed",
        ),
    ),
)
DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in _DATASETS}
