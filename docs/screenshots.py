"""Draws explorer.png, report.png and comparison.png of docs, in a browser.

    make demo  # or its first command
    python -m tfrec.train --dataset=synthetic --model=markov \\
        --run_dir=runs/markov
    python -m docs.screenshots --run_dirs=runs/quickstart,runs/markov

Needs Chromium and its driver (`apt-get install chromium chromium-driver`) and
Selenium, of the extra `dev`.
"""

import dataclasses
import shutil
import tempfile
import time
from pathlib import Path

from selenium import webdriver
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.wait import WebDriverWait

from tfrec import cli, settings
from tfrec.errors import InputError
from tfrec.explorer.server import ExplorerServer, of_runs
from tfrec.reporting.comparison import comparison
from tfrec.reporting.page import report
from tfrec.settings import Settings, setting
from tfrec.training.comparison import compare, read_runs

_STATE = "i=salsa-001&i=bluegrass-015&i=bluegrass-003&k=5&beside=1&map=1"
_METRICS = ("ndcg@10", "recall@10", "mrr@10")


@dataclasses.dataclass(frozen=True)
class PictureConfig(Settings):
    """What to draw."""

    run_dirs: tuple[str, ...] = setting(
        (), "Two runs of the embedded dataset.", required=True
    )
    data_dir: str = setting(
        "", "Where their prepared dataset is now. Empty: where it was."
    )
    state: str = setting(_STATE, "What the explorer shows: the URL after #.")
    folder: str = setting("docs", "Where the pictures go.")


def main() -> None:
    """Draws as the flags say."""
    config = settings.from_flags(PictureConfig)
    browser, driver = map(shutil.which, ("chromium", "chromedriver"))
    if not (browser and driver):
        raise InputError("chromium and chromedriver must be installed.")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=1200,1280",
    ):
        options.add_argument(argument)
    server = ExplorerServer(
        *of_runs(config.run_dirs, config.data_dir), "127.0.0.1", 0
    )
    page = webdriver.Chrome(options=options, service=Service(driver))
    folder = Path(config.folder)
    try:
        page.get(f"{server.url}#{config.state}")
        WebDriverWait(page, 120).until(
            lambda page: (
                page.find_elements("css selector", "#legend li")
                and page.find_elements("css selector", "svg line.spread")
            )
        )
        time.sleep(1)
        page.save_screenshot(str(folder / "explorer.png"))
        run = report(config.run_dirs[0], config.data_dir)
        _draw(page, run, "Ranks of the targets", folder / "report.png")
        runs = read_runs(config.run_dirs, config.data_dir)
        table = compare(runs, _METRICS, _METRICS[0])
        compared = comparison(runs, table, _METRICS, _METRICS[0])
        _draw(page, compared, "Accuracy", folder / "comparison.png")
    finally:
        page.quit()
        server.stop()


def _draw(browser: webdriver.Chrome, text: str, title: str, path: Path) -> None:
    """Draws a page from one of its headings on."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "page.html")
        file.write_text(text, encoding="utf-8")
        browser.get(file.as_uri())
        heading = browser.find_element("xpath", f"//h2[. = '{title}']")
        browser.execute_script("arguments[0].scrollIntoView()", heading)
        browser.save_screenshot(str(path))


if __name__ == "__main__":
    cli.run(main, PictureConfig)
