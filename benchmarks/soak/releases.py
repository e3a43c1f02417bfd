"""New versions for a server that runs, whole ones and broken ones."""

import json
import random
import shutil
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.soak.clients import Tally
from benchmarks.soak.truth import Truth
from tfrec.serving.checksums import FILE_NAME as CHECKSUMS

# Seconds in which a server must have seen a version.
_PATIENCE = 120
HALF = "half of a copy"
BROKEN = (HALF, "flipped byte", "missing file", f"wrong {CHECKSUMS}")


class Releases:
    """Gives a server its versions, and sees what becomes of them.

    Args:
        folder: The folder of the model, where the server looks.
        store: By name, the whole versions that are copied from, in turn.
        truth: Is told which version may answer.
        tally: Is told what came of each release.
        seed: Of what is broken.
    """

    def __init__(
        self,
        folder: Path,
        store: Mapping[str, Path],
        truth: Truth,
        tally: Tally,
        seed: int,
    ):
        self._folder = folder
        self._store = store
        self._address = ""
        self._truth = truth
        self._tally = tally
        self._rng = random.Random(f"{seed}.releases")
        self._turn = 0
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._newest = self._serving = 0

    def first(self) -> None:
        """Puts the first version into its place, before the server starts."""
        model, copy = self._copy()
        self._truth.publish(self._newest, model, time.monotonic())
        copy.rename(self._folder / str(self._newest))
        self._serving = self._newest

    def start(
        self,
        swaps: int,
        broken: int,
        rest_address: str,
        done: Callable[[], float],
    ) -> None:
        """Begins with the releases, in a thread.

        Args:
            swaps: Whole versions, spread over the time.
            broken: Broken ones, spread as well.
            rest_address: host:port of the server.
            done: Tells the share of the requests that was made.
        """
        self._address = rest_address
        plan = [((n + 1) / (swaps + 1), "") for n in range(swaps)]
        plan += [
            ((n + 0.5) / broken, BROKEN[n % len(BROKEN)]) for n in range(broken)
        ]
        self._thread = threading.Thread(
            target=self._work, args=(sorted(plan), done), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """Begins no other."""
        self._stop.set()

    def finish(self) -> None:
        """Waits for the last, or the one that is under way."""
        self._thread.join()

    def _work(self, plan, done) -> None:
        for share, broken in plan:
            while done() < share:
                if self._stop.wait(0.1):
                    return
            if self._stop.is_set():
                return
            try:
                self._break(broken) if broken else self._swap()
            except Exception as error:
                self._tally.wrong(broken or "hot swap", repr(error))

    def _copy(self) -> tuple[str, Path]:
        """Copies the next version, under another name than it will have."""
        self._newest += 1
        model = tuple(self._store)[self._turn % len(self._store)]
        self._turn += 1
        copy = self._folder / f".tmp-{self._newest}"
        shutil.copytree(self._store[model], copy)
        return model, copy

    def _swap(self) -> None:
        model, copy = self._copy()
        self._truth.publish(self._newest, model, time.monotonic())
        copy.rename(self._folder / str(self._newest))
        self._expect_available("hot swap")

    def _expect_available(self, kind: str) -> None:
        """Waits for the newest version, and removes the one before."""
        said = self._state(lambda state, _: state == "AVAILABLE")
        if said:
            self._tally.wrong(kind, f"version {self._newest}: {said}")
            return
        # Whatever is asked from now on is asked of the new one.
        self._truth.retire(self._serving, time.monotonic())
        shutil.rmtree(self._folder / str(self._serving))
        self._serving = self._newest
        self._tally.right(kind)

    def _break(self, kind: str) -> None:
        model, copy = self._copy()
        whole = self._store[model]
        self._damage(copy, kind)
        place = copy.rename(self._folder / str(self._newest))
        said = self._state(lambda state, error: state == "END" and error)
        if said:
            self._tally.wrong(kind, f"version {self._newest}: {said}")
        elif kind == HALF:
            # The rest of the copy comes, and then it is served.
            self._truth.publish(self._newest, model, time.monotonic())
            shutil.copytree(whole, place, dirs_exist_ok=True)
            self._expect_available(kind)
            return
        else:
            self._tally.right(kind)
        shutil.rmtree(place)

    def _damage(self, copy: Path, kind: str) -> None:
        files = sorted(path for path in copy.rglob("*") if path.is_file())
        path = self._rng.choice(files)
        if kind == HALF:
            # Those that come later, and the end of one that is under way.
            cut = files[len(files) // 2 :]
            content = cut[0].read_bytes()
            cut[0].write_bytes(content[: len(content) // 2])
            for later in cut[1:]:
                later.unlink()
        elif kind == "missing file":
            path.unlink()
        else:
            if kind.endswith(CHECKSUMS):
                path = copy / CHECKSUMS
            content = bytearray(path.read_bytes())
            content[self._rng.randrange(len(content))] ^= 1
            path.write_bytes(content)

    def _state(self, wanted: Callable[[str, str], object]) -> str:
        """Waits for a state of the newest version.

        Returns:
            "" once it is there, or the last state if it never is.
        """
        deadline = time.monotonic() + _PATIENCE
        while True:
            state, error = self._ask()
            if wanted(state, error):
                return ""
            if time.monotonic() > deadline:
                return f"{state or 'unknown'} after {_PATIENCE} s. {error}"
            time.sleep(0.1)

    def _ask(self) -> tuple[str, str]:
        """Returns the state of the newest version, and its error."""
        url = f"http://{self._address}/v1/models/{self._folder.name}"
        with urllib.request.urlopen(url, timeout=_PATIENCE) as response:
            found = json.load(response)["model_version_status"]
        for version in found:
            if version["version"] == str(self._newest):
                return version["state"], version["status"]["error_message"]
        return "", ""
