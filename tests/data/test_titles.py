"""`titles.tsv`, with and without more columns."""

from tfrec.data.titles import read_titles


def write(folder, text):
    (folder / "titles.tsv").write_text(text, encoding="utf-8")
    return read_titles(folder)


def test_titles_alone(tmp_path):
    assert read_titles(tmp_path) == ({}, {})
    assert write(tmp_path, "1\tOne\n2\tTwo\n") == ({"1": "One", "2": "Two"}, {})


def test_columns_have_the_names_of_the_first_line(tmp_path):
    text = "#item\ttitle\tgenre\n1\tOne\tdrama\n2\tTwo\n"
    assert write(tmp_path, text) == (
        {"1": "One", "2": "Two"},
        {"genre": {"1": "drama"}},
    )


def test_lines_may_end_as_those_of_windows(tmp_path):
    text = "\ufeff#item\ttitle\tgenre\r\n1\tOne\tdrama\r\n2\tTwo\r\n"
    assert write(tmp_path, text) == (
        {"1": "One", "2": "Two"},
        {"genre": {"1": "drama"}},
    )


def test_columns_without_names_are_numbered(tmp_path):
    _, columns = write(tmp_path, "#1\tOne\n2\tTwo\tx\ty\n")
    assert columns == {"column 3": {"2": "x"}, "column 4": {"2": "y"}}
