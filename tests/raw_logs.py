"""Raw logs of every format, small, with what engines may read otherwise."""

import gzip
import json

import pyarrow as pa
import pyarrow.parquet as pq


def write_clicks(folder):
    """Writes clicks in two files, out of order and with all that CSV allows."""
    ids = ["a", "B", "é", "日", '"q""t"', '"x,y"', " s ", "😀", "b", "\ue000"]
    rows = [
        f"u{n * 7 % 11},{ids[n * n % 10]},"
        f"2014-04-0{1 + n % 9}T10:0{n % 3}:09.{n * 37 % 1000:03d}"
        f"{['Z', '', '+02:00', '-0530'][n % 4]},{n % 5}.5"
        for n in range(120)
    ]
    head = "who,what,when,stars"
    folder.mkdir()
    # The first file has a byte order mark and a blank line, the other one a
    # blank line before its header.
    first = "\n".join(["\ufeff" + head, *rows[:20], "", *rows[20:90]]) + "\n"
    (folder / "a [1]%20.csv").write_text(first, encoding="utf-8")
    second = "\r\n".join(["", head, *rows[90:]]) + "\r\n"
    (folder / "b.csv").write_bytes(second.encode())
    return {
        "dataset": "csv",
        "raw_dir": str(folder),
        "sequence_column": "who",
        "item_column": "what",
        "timestamp_column": "when",
        "rating_column": "stars",
        "rating_above": 1.0,
        "min_sequence_length": 2,
    }


def write_messy(folder):
    """Writes a log with fractions of seconds, and rows that are skipped."""
    rows = [
        f"u{n * 7 % 11},i{n * n % 10},{1704597106 + n // 9}.{n * 37 % 1000:03d}"
        for n in range(120)
    ]
    rows[3:3] = ["u,,1704597106", "u,i", "u,i,today", '"u,i,1704597106']
    folder.mkdir()
    text = "\n".join(["sequence,item,timestamp", *rows])
    (folder / "log.csv.gz").write_bytes(gzip.compress(text.encode()))
    return {
        "dataset": "csv",
        "raw_dir": str(folder),
        "raw_files": "*.gz",
        "bad_rows": "skip",
        "bad_rows_share": 0.1,
        "protocol": "temporal",
        "timestamps_per_second": 1,
        "test_from": "2024-01-07 03:11:55",
    }


def write_future(folder):
    """Writes clicks to be cut at one moment; the test has new items."""
    settings = write_clicks(folder)
    rows = [f"u{n},new{n % 3},2014-04-09T1{n % 4}:00:00Z,5" for n in range(9)]
    with open(folder / "b.csv", "a", encoding="utf-8", newline="") as file:
        file.writelines(f"{row}\r\n" for row in rows)
    return settings | {
        "protocol": "temporal",
        "test_quantile": 0.7,
        "validation_fraction": 0.3,
        "min_item_count": 2,
    }


def write_parquet(folder):
    folder.mkdir()
    for name, part in (("a", range(50)), ("b", range(50, 99))):
        columns = {
            # Names of ours.
            "position": ["never read"] * len(part),
            "path": ["never read"] * len(part),
            "sequence": [n * 7 % 11 for n in part],
            "item": [f"i{n * n % 10}" for n in part],
            # Many at one time: the order of the files decides.
            "timestamp": pa.array([n // 40 for n in part], pa.timestamp("us")),
        }
        path = folder / f"{name}.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=9)
    return {"dataset": "csv", "raw_dir": str(folder)}


def write_movielens(folder):
    folder.mkdir()
    rows = [
        f"{n % 9}::{n * n % 23}::{n % 5 + 1}::{978300760 + n // 7}"
        for n in range(200)
    ]
    (folder / "ratings.dat").write_text("\n".join(rows) + "\n")
    movies = "".join(f"{n}::Café: {n}\t(1995)::Drama\n" for n in range(20))
    (folder / "movies.dat").write_bytes(movies.encode("latin-1"))
    return {
        "dataset": "ml-1m",
        "raw_dir": str(folder),
        "protocol": "leave_one_out",
        "truncate_before_split": 7,
        "drop_duplicates": True,
    }


def write_yelp(folder):
    folder.mkdir()
    rows = [
        {
            "user_id": f"u{n % 9}",
            "business_id": f"é{n * n % 13}",
            "stars": float(n % 6),
            "date": f"2018-01-{1 + n % 28:02d} 11:22:33",
            "text": 'so "good",\n{}',
        }
        for n in range(150)
    ]
    lines = [json.dumps(row, ensure_ascii=n % 2) for n, row in enumerate(rows)]
    path = folder / "yelp_academic_dataset_review.json"
    path.write_text("\n".join(lines), encoding="utf-8")
    return {"dataset": "yelp", "raw_dir": str(folder), "min_item_count": 3}


def write_sessions(folder):
    folder.mkdir()
    lines = [
        " ".join(f"i{n * m % 17}" for m in range(2, 7 + n % 9))
        for n in range(40)
    ]
    (folder / "train_sessions.txt").write_text("\n\n".join(lines))
    (folder / "test_sessions.txt").write_text("i0 i3 i99\ni5 i0\n" * 9)
    return {
        "dataset": "sessions",
        "raw_dir": str(folder),
        "protocol": "next_click",
        "min_sequence_length": 2,
    }


def write_yoochoose(folder):
    folder.mkdir()
    rows = [
        f"{n // 4},2014-04-{1 + n // 30:02d}T10:5{n % 4}:09.{n:03d}Z,"
        f"{n * n % 19},0"
        for n in range(400)
    ]
    # One click; a rare item, without which one click is left; and a test
    # without the item of which the training has none.
    clicks = [("one", 1, 0)]
    clicks += [(f"rare{n}", 2, item) for n in range(3) for item in (0, 777)]
    clicks += [("new", 14, item) for item in (888, 888, 888, 888, 888, 0)]
    rows += [
        f"{session},2014-04-{day:02d}T10:50:00.{n:03d}Z,{item},S"
        for n, (session, day, item) in enumerate(clicks)
    ]
    with gzip.open(folder / "yoochoose-clicks.dat.gz", "wt") as file:
        file.write("\n".join(rows))
    return {
        "dataset": "yoochoose",
        "raw_dir": str(folder / "yoochoose-clicks.dat.gz"),
        "protocol": "next_click",
        "min_item_count": 5,
        "min_sequence_length": 2,
        "repeat_filters": True,
        "training_fraction": 0.5,
        "training_fraction_of": "clicks",
        "unseen_items": "drop_before_cut",
    }
