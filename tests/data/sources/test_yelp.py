import json

import pytest

from tfrec.data.config import DataConfig
from tfrec.data.sources import get_source
from tfrec.errors import InputError

REVIEW = {
    "review_id": "r",
    "user_id": "u",
    "business_id": "b",
    "stars": 4.0,
    "date": "2018-07-07 22:09:11",
    "text": 'Two\nlines, "quoted"',
}


def read(engine, folder):
    config = DataConfig(dataset="yelp", raw_dir=str(folder))
    table = get_source("yelp").read(engine, config).table
    return table.order_by("position").to_pyarrow().to_pylist()


def write(folder, *reviews):
    path = folder / "yelp_academic_dataset_review.json"
    path.write_text(
        "\n".join(r if isinstance(r, str) else json.dumps(r) for r in reviews)
    )
    return path


def test_reviews_are_interactions_with_ratings(engine, tmp_path):
    path = write(tmp_path, REVIEW, REVIEW | {"stars": 3, "date": "2018-07-08"})
    expected = [
        {
            "sequence": "u",
            "item": "b",
            "timestamp": 1531001351_000000,
            "position": 0,
            "rating": 4.0,
        },
        {
            "sequence": "u",
            "item": "b",
            "timestamp": 1531008000_000000,
            "position": 1,
            "rating": 3.0,
        },
    ]
    assert read(engine, tmp_path) == expected
    engine.connection.raw_sql("DROP TABLE interactions")
    assert read(engine, path) == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (json.dumps(REVIEW)[:60], "a JSON object with user_id"),
        ("u,b,4,2018-07-07", "a JSON object with user_id"),
        ({"user_id": "u"}, "a JSON object with user_id"),
        (REVIEW | {"date": "07/07/2018"}, "a timestamp, a date or time, UTC"),
        (REVIEW | {"stars": None}, "a rating"),
    ],
)
def test_a_malformed_line_is_named(engine, tmp_path, line, expected):
    write(tmp_path, REVIEW, line)
    with pytest.raises(InputError) as error:
        read(engine, tmp_path)
    assert f"review.json, line 2: expected {expected}" in str(error.value)


def test_businesses_give_titles_where_their_file_is(engine, tmp_path):
    write(tmp_path, REVIEW)
    source = get_source("yelp")
    config = DataConfig(dataset="yelp", raw_dir=str(tmp_path))
    assert source.titles(engine, config) is None
    path = tmp_path / "yelp_academic_dataset_business.json"
    path.write_text('{"business_id": "b", "name": "Café"}\n')
    table = source.titles(engine, config).to_pyarrow()
    assert table.to_pylist() == [{"item": "b", "title": "Café"}]
    path.write_text('{"business_id": "b", "name": "Café"}\n{"business_id": "c"')
    pattern = "business.json, line 2: expected a JSON object with business_id"
    with pytest.raises(InputError, match=pattern):
        source.titles(engine, config)


def test_the_missing_file_is_named(tmp_path):
    config = DataConfig(dataset="yelp", raw_dir=str(tmp_path))
    with pytest.raises(InputError, match=r"dataset_review\.json"):
        get_source("yelp").files(config)
