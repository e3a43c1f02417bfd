"""Downloading public archives, checked before they are unpacked."""

import dataclasses
import re
import shutil
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pooch
from tqdm import tqdm

from tfrec.errors import InputError
from tfrec.unfinished import unfinished

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
        with unfinished(folder / "download") as temporary:
            md5 = archive.md5 or _published_md5(archive.url, temporary)
            path = _fetch(archive.url, temporary, f"md5:{md5}")
            _unpack(path, folder, names)
    # ValueError: another checksum.
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        raise InputError(
            f"`--raw_dir` ({folder}) has no {names[0]}, and {archive.url} "
            f"could not be downloaded: {error}. Unpack that archive elsewhere "
            f"and put {' and '.join(names)} into {folder}."
        ) from error


def _fetch(url: str, folder: str, checksum: str | None) -> Path:
    """Downloads a file, and checks it."""
    # It would say what it does, and where: there is a bar for that.
    pooch.get_logger().setLevel("WARNING")
    name = url.rpartition("/")[2]
    with tqdm(
        desc=name,
        # That the server says. pooch takes an empty bar for none.
        total=1,
        unit="B",
        unit_scale=True,
        # Shown on a terminal.
        disable=None if checksum else True,
    ) as bar:
        downloader = pooch.HTTPDownloader(bar, timeout=_TIMEOUT_SECONDS)
        return Path(
            pooch.retrieve(url, checksum, name, folder, downloader=downloader)
        )


def _published_md5(url: str, folder: str) -> str:
    text = _fetch(url + ".md5", folder, None).read_text("ascii", "replace")
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
        # The first, by which others see that all are there, last.
        for name in reversed(names):
            path.with_name(name).replace(folder / name)
