"""Downloading public archives, checked before they are unpacked."""

import dataclasses
import hashlib
import re
import shutil
import tempfile
import urllib.request
import zipfile
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from tfrec.errors import InputError

# Of one read. A download may take as long as it moves.
_TIMEOUT_SECONDS = 20


@dataclasses.dataclass(frozen=True)
class Archive:
    """A public zip archive.

    Attributes:
        url: Where it is.
        md5: Its checksum. Empty: `url` + ".md5" gives it.
    """

    url: str
    md5: str = ""


def download(archive: Archive, folder: Path, names: Sequence[str]) -> None:
    """Downloads an archive and unpacks some of its files.

    Nothing is left in the folder unless the archive is whole.

    Args:
        archive: What to download.
        folder: Where the files go, without the archive's own folders. Made
            if it is absent.
        names: Names of the files, without folders.

    Raises:
        InputError: If it fails: why, and which files to put where instead.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            dir=folder, prefix="download-"
        ) as temporary:
            path = Path(temporary, "archive.zip")
            received = _fetch(archive.url, path)
            expected = archive.md5 or _published_md5(archive.url)
            if received != expected:
                raise OSError(f"its MD5 is {received}, it should be {expected}")
            _unpack(path, folder, names)
    except (OSError, zipfile.BadZipFile) as error:
        raise InputError(
            f"`--raw_dir` ({folder}) has no {names[0]}, and {archive.url} "
            f"could not be downloaded: {error}. Unpack that archive elsewhere "
            f"and put {' and '.join(names)} into {folder}."
        ) from error


def _fetch(url: str, path: Path) -> str:
    """Downloads a file and returns its MD5."""
    digest = hashlib.md5(usedforsecurity=False)
    with (
        urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response,
        open(path, "wb") as file,
        tqdm(
            total=int(response.headers.get("Content-Length", 0)) or None,
            desc=url.rpartition("/")[2],
            unit="B",
            unit_scale=True,
        ) as bar,
    ):
        while block := response.read(1 << 16):
            file.write(block)
            digest.update(block)
            bar.update(len(block))
    return digest.hexdigest()


def _published_md5(url: str) -> str:
    with urllib.request.urlopen(url + ".md5", timeout=_TIMEOUT_SECONDS) as page:
        text = page.read(4096).decode("ascii", "replace")
    found = re.search(r"\b[0-9a-f]{32}\b", text)
    if not found:
        raise OSError(f"{url}.md5 has no checksum")
    return found.group()


def _unpack(path: Path, folder: Path, names: Sequence[str]) -> None:
    with zipfile.ZipFile(path) as archive:
        members = {
            member.filename.rpartition("/")[2]: member
            for member in archive.infolist()
        }
        for name in names:
            if name not in members:
                raise OSError(f"the archive has no {name}")
            # A partial name until whole: this folder may be read next time.
            partial = path.with_name(name)
            with (
                archive.open(members[name]) as source,
                open(partial, "wb") as target,
            ):
                shutil.copyfileobj(source, target)
        for name in names:
            path.with_name(name).replace(folder / name)
