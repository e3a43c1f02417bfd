import functools
import hashlib
import http.server
import io
import sys
import threading
import zipfile
from pathlib import Path

import pytest

from tfrec.data import download as module
from tfrec.data.config import DataConfig
from tfrec.data.download import Archive, download
from tfrec.data.sources import get_source, movielens
from tfrec.errors import InputError

RATINGS = b"1::10::5::978300760\n"


@pytest.fixture
def site(tmp_path):
    """A folder served over HTTP, and its address."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(
        http.server.SimpleHTTPRequestHandler, directory=str(folder)
    )
    handler.log_message = lambda *_: None
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def publish(folder, **files):
    """Writes ml-1m.zip, and returns its MD5."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"ml-1m/{name.replace('_', '.')}", text)
    (folder / "ml-1m.zip").write_bytes(data.getvalue())
    return hashlib.md5(data.getvalue()).hexdigest()


def test_files_are_unpacked_without_their_folder(site, tmp_path):
    folder, address = site
    md5 = publish(folder, ratings_dat=RATINGS, movies_dat=b"x", README=b"no")
    raw = tmp_path / "new" / "raw"
    download(
        Archive(f"{address}/ml-1m.zip", md5), raw, ["ratings.dat", "movies.dat"]
    )
    found = {path.name: path.read_bytes() for path in raw.iterdir()}
    assert found == {"ratings.dat": RATINGS, "movies.dat": b"x"}


def test_what_is_looked_for_is_there_when_all_are(site, tmp_path, monkeypatch):
    folder, address = site
    md5 = publish(folder, ratings_dat=RATINGS, movies_dat=b"x")
    archive = Archive(f"{address}/ml-1m.zip", md5)
    moved, move = [], Path.replace

    def once(path, target):
        if moved:
            raise KeyboardInterrupt
        moved.append(target.name)
        return move(path, target)

    monkeypatch.setattr(Path, "replace", once)
    with pytest.raises(KeyboardInterrupt):
        download(archive, tmp_path / "raw", ["ratings.dat", "movies.dat"])
    # By the ratings it is known that nothing has to be downloaded.
    assert moved == ["movies.dat"]


def test_a_checksum_may_be_published_beside_the_archive(site, tmp_path):
    folder, address = site
    md5 = publish(folder, ratings_dat=RATINGS)
    (folder / "ml-1m.zip.md5").write_text(f"MD5 (ml-1m.zip) = {md5}\n")
    download(Archive(f"{address}/ml-1m.zip"), tmp_path, ["ratings.dat"])
    assert (tmp_path / "ratings.dat").read_bytes() == RATINGS


def refused(archive, folder, reason):
    folder.mkdir()
    with pytest.raises(InputError, match=reason) as error:
        download(archive, folder, ["ratings.dat", "movies.dat"])
    assert f"put ratings.dat and movies.dat into {folder}" in str(error.value)
    assert archive.url in str(error.value)
    assert list(folder.iterdir()) == []


def test_a_wrong_checksum_leaves_nothing(site, tmp_path):
    folder, address = site
    publish(folder, ratings_dat=RATINGS, movies_dat=b"x")
    archive = Archive(f"{address}/ml-1m.zip", "0" * 32)
    refused(archive, tmp_path / "raw", "does not match")


def test_an_archive_without_the_files_leaves_nothing(site, tmp_path):
    folder, address = site
    md5 = publish(folder, ratings_dat=RATINGS)
    archive = Archive(f"{address}/ml-1m.zip", md5)
    refused(archive, tmp_path / "raw", r"has no movies\.dat")


def test_what_is_no_archive_leaves_nothing(site, tmp_path):
    folder, address = site
    (folder / "ml-1m.zip").write_text("<html>blocked</html>")
    (folder / "ml-1m.zip.md5").write_text(
        hashlib.md5(b"<html>blocked</html>").hexdigest()
    )
    refused(Archive(f"{address}/ml-1m.zip"), tmp_path / "raw", "not a zip")


def test_a_missing_page_says_what_to_put_where(site, tmp_path):
    archive = Archive(f"{site[1]}/nothing.zip", "0" * 32)
    refused(archive, tmp_path / "raw", "404")


def test_no_network_says_what_to_put_where(tmp_path):
    # Port 9 is "discard": nothing listens there.
    archive = Archive("http://127.0.0.1:9/ml-1m.zip", "0" * 32)
    refused(archive, tmp_path / "raw", "refused")


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal(
    terminal, site, tmp_path, capsys, monkeypatch
):
    folder, address = site
    md5 = publish(folder, ratings_dat=RATINGS)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    download(Archive(f"{address}/ml-1m.zip", md5), tmp_path, ["ratings.dat"])
    assert (tmp_path / "ratings.dat").exists()
    said = capsys.readouterr().err
    assert ("ml-1m.zip: 100%" in said) == terminal


def test_movielens_is_downloaded_only_where_it_is_absent(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(
        movielens, "download", lambda *arguments: asked.append(arguments)
    )
    config = DataConfig(dataset="ml-1m", raw_dir=str(tmp_path))
    get_source("ml-1m").fetch(config)
    ((archive, folder, names),) = asked
    assert archive.url.endswith("/ml-1m.zip")
    assert folder == tmp_path
    assert names == ["ratings.dat", "movies.dat"]
    (tmp_path / "ratings.dat").write_bytes(RATINGS)
    get_source("ml-1m").fetch(config)
    assert len(asked) == 1


def test_a_download_that_stalls_is_given_up(site, tmp_path, monkeypatch):
    class Silent(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            done.wait(10)

    done = threading.Event()
    monkeypatch.setattr(module, "_TIMEOUT_SECONDS", 0.2)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        archive = Archive(f"http://127.0.0.1:{server.server_port}/x.zip")
        refused(archive, tmp_path / "raw", "timed out")
        done.set()
        server.shutdown()
