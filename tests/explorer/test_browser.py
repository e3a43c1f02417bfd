"""The explorer as a person meets it: in Chromium, by mouse and by keyboard.

Skipped where Debian's `chromium` and `chromium-driver`, or Selenium, are not
installed.
"""

import contextlib
import shutil

import pytest

from tests.explorer.conftest import SCRIPT
from tfrec.explorer.server import ExplorerServer

try:
    from selenium import webdriver
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver import ActionChains, Keys
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.support.wait import WebDriverWait
except ImportError:
    pytest.skip("Selenium is absent", allow_module_level=True)
_CHROMIUM, _DRIVER = map(shutil.which, ("chromium", "chromedriver"))
if not (_CHROMIUM and _DRIVER):
    pytest.skip("chromium and chromedriver are absent", allow_module_level=True)


class Page:
    """What a person sees, and can do."""

    def __init__(self, driver, url):
        self.driver = driver
        self.url = url

    def open(self, state=""):
        # Another fragment alone would not load the page again.
        self.driver.get("about:blank")
        self.driver.get(self.url + (f"#{state}" if state else ""))
        self.until(lambda: self.rows() or self.texts(".error"))
        return self

    def until(self, holds, seconds=60):
        """Waits until something holds; returns it."""
        wait = WebDriverWait(
            self.driver,
            seconds,
            poll_frequency=0.05,
            ignored_exceptions=[StaleElementReferenceException],
        )
        return wait.until(lambda _: holds())

    def all(self, selector):
        return self.driver.find_elements("css selector", selector)

    def one(self, selector):
        return self.all(selector)[0]

    def click(self, selector):
        """Clicks, once more if the page has just been redrawn."""
        self.until(lambda: self.one(selector).click() or True)

    def texts(self, selector):
        """Returns the texts, read in one go: the page may redraw between."""
        return self.driver.execute_script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".filter((each) => each.checkVisibility())"
            ".map((each) => each.textContent)",
            selector,
        )

    def history(self):
        return self.texts("#history li > span:nth-child(2)")

    def rows(self, number=1):
        return self.texts(
            f"#lists section:nth-child({number}) .list button.plain"
        )

    def press(self, *keys, held=None):
        actions = ActionChains(self.driver)
        if held:
            actions.key_down(held)
        actions.send_keys(*keys)
        if held:
            actions.key_up(held)
        actions.perform()

    def focused(self):
        return self.driver.switch_to.active_element

    def tab_to(self, selector):
        """Presses Tab until something has the focus, as a person would."""
        wanted = self.one(selector)
        for _ in range(60):
            if self.focused() == wanted:
                return
            self.press(Keys.TAB)
        pytest.fail(f"Tab does not reach {selector}")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = _CHROMIUM
    for argument in (
        "--headless=new",
        # As root, and in a container.
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--disable-gpu",
        "--window-size=1300,1400",
        f"--user-data-dir={tmp_path_factory.mktemp('chromium')}",
    ):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(_DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, explorer):
    driver.get_log("browser")
    yield Page(driver, explorer.url)
    # Neither an exception nor anything that the policy forbids. Answers that
    # are errors are told too.
    wrong = [e for e in driver.get_log("browser") if e["level"] == "SEVERE"]
    assert not [e for e in wrong if e["source"] != "network"]


def test_typing_finds_and_enter_adds(page):
    page.open()
    assert page.texts("#empty")
    assert not page.history()
    assert len(page.rows()) == 10
    page.tab_to("#search")
    page.press("amelie")
    page.until(lambda: page.texts("#found li"))
    page.press(Keys.ENTER)
    page.until(lambda: page.history() == ["Amélie the Fourth"])
    page.press("title 1")
    page.until(lambda: len(page.texts("#found li")) == 4)
    page.press(Keys.ARROW_DOWN, Keys.ENTER)
    page.until(lambda: len(page.history()) == 2)
    page.press("zebra")
    page.until(lambda: page.texts("#finding") == ["No title or id has that."])
    page.press(Keys.ESCAPE)
    assert "i=item+4" in page.driver.current_url
    assert not page.texts("#empty")


def test_a_script_in_a_title_is_shown_and_not_run(page):
    page.open("i=item+3")
    page.until(lambda: page.history() == [SCRIPT])
    page.one("#search").send_keys("<script>")
    page.until(lambda: page.texts("#found li"))
    assert SCRIPT in page.texts("#found li")[0]
    assert page.driver.title == "tfrec explorer"
    assert not page.all("main script, main b")


def test_keys_reorder_and_remove(page):
    page.open("i=item+1&i=item+2&i=item+5")
    page.until(lambda: page.history() == ["Title 1", "Title 2", "Title 5"])
    page.tab_to("#history li")
    page.press(Keys.ARROW_DOWN, held=Keys.ALT)
    page.until(lambda: page.history() == ["Title 2", "Title 1", "Title 5"])
    # The focus has moved with the item.
    page.press(Keys.ARROW_DOWN, held=Keys.ALT)
    page.until(lambda: page.history() == ["Title 2", "Title 5", "Title 1"])
    page.press(Keys.DELETE)
    page.until(lambda: page.history() == ["Title 2", "Title 5"])
    page.driver.back()
    page.until(lambda: page.history() == ["Title 2", "Title 5", "Title 1"])


def test_dragging_reorders(page):
    page.open("i=item+1&i=item+2&i=item+5")
    page.until(lambda: len(page.history()) == 3)
    rows = page.all("#history li")
    ActionChains(page.driver).drag_and_drop(rows[2], rows[0]).perform()
    page.until(lambda: page.history() == ["Title 5", "Title 1", "Title 2"])


def test_a_click_on_the_list_adds_and_why_shows_each_item(page):
    page.open("i=item+1&i=item+2")
    first = page.until(page.rows)[0]
    page.click("#lists .row button.plain")
    page.until(lambda: page.history()[2:] == [first])
    page.until(lambda: first not in page.rows())
    # The intervals of 32 draws.
    page.until(lambda: len(page.all("#lists svg line.spread")) == 9)
    # The focus is where it was, on the list that is new.
    page.until(lambda: page.focused() == page.one("#lists button.plain"))
    page.click("#lists button[aria-label^=Why]")
    reasons = page.until(lambda: page.texts("#lists .why li"))
    assert [text.partition(":")[0] for text in reasons] == page.history()
    assert all("without it)" in text for text in reasons)
    assert page.one("#lists button[aria-label^=Why]") == page.focused()


def test_two_runs_stand_side_by_side(page):
    page.open("i=item+1&i=item+2&k=5")
    page.one("#other").send_keys("markov")
    # Both lists are new when they are marked.
    page.until(lambda: len(page.texts("#lists .list .mark")) == 10)
    one, other = page.rows(1), page.rows(2)
    assert one != other
    for rows, others, number in ((one, other, 1), (other, one, 2)):
        marks = page.texts(f"#lists section:nth-child({number}) .list .mark")
        for place, (title, mark) in enumerate(zip(rows, marks, strict=True)):
            if title not in others:
                assert mark == "only here"
                continue
            step = others.index(title) - place
            arrow = "▲" if step > 0 else "▼"
            assert mark == (f"{arrow} {abs(step)}" if step else "same place")
    about = page.texts("#lists section:nth-child(2) .quiet")
    assert "markov has no latent here, so no spread." in about[-1]
    assert "beside=1" in page.driver.current_url


def test_a_user_has_what_came_next_and_its_rank(page, ask):
    page.open()
    page.one("#name").send_keys("u7", Keys.ENTER)
    _, person = ask("person", name="u7")
    titles = [item["title"] for item in person["history"]]
    page.until(lambda: page.history() == titles)
    (text,) = page.until(lambda: page.texts("#lists .next-list li"))
    assert text.startswith(person["next"][0]["title"])
    # The same by its URL, as a colleague opens it.
    page.driver.get("about:blank")
    page.driver.get(page.driver.current_url)
    page.open("user=u7&" + "&".join(f"i={i['id']}" for i in person["history"]))
    page.until(lambda: page.texts("#lists .next-list li") == [text])


def test_an_unknown_user_has_a_message(page):
    page.open("i=item+1")
    page.one("#name").send_keys("nobody", Keys.ENTER)
    page.until(lambda: "no test user or session" in page.texts("#who")[0])
    assert page.history() == ["Title 1"]


def test_an_unknown_item_of_a_url_is_named(page):
    page.open("i=nonsense&i=item+2")
    page.until(
        lambda: page.history() == ["nonsense (unknown, skipped)", "Title 2"]
    )


def test_the_map_adds_what_is_clicked_and_what_enter_is_pressed_on(page, ask):
    page.open("i=item+1&map=1")
    page.until(lambda: page.texts("#legend li"))
    assert "principal components" in page.texts("#map-method")[0]
    canvas = page.one("#map")
    page.driver.execute_script("arguments[0].scrollIntoView()", canvas)
    # Below the cross by keyboard.
    page.driver.execute_script("arguments[0].focus()", canvas)
    page.press(Keys.ARROW_LEFT, "+")
    title = page.until(lambda: page.texts("#map-near")[0]).partition(" (")[0]
    page.press(Keys.ENTER)
    page.until(lambda: page.history()[1:] == [title])
    page.one("#whole").click()
    page.one("#colour").send_keys("kind")
    page.until(lambda: page.texts("#legend li")[:2] == ["even", "odd"])
    # Where item 5 lies, and nothing else is nearer.
    page.driver.execute_script("arguments[0].scrollIntoView()", canvas)
    _, answer = ask("map")
    x, y = answer["points"][4]
    scale = 0.48 * min(canvas.size["width"], canvas.size["height"])
    mouse = ActionChains(page.driver)
    mouse.move_to_element_with_offset(
        canvas, round(x * scale), round(-y * scale)
    )
    mouse.perform()
    page.until(
        lambda: page.texts("#map-near")[0].startswith("Title 5 (item 5,")
    )
    mouse.click().perform()
    page.until(lambda: page.history()[2:] == ["Title 5"])


def test_a_phone_needs_no_sideways_scrolling(page):
    page.driver.set_window_size(500, 900)
    try:
        page.open("i=item+3&i=item+2&beside=1&map=1")
        page.until(lambda: page.texts("#legend li"))
        wide, shown = page.driver.execute_script(
            "return [document.documentElement.scrollWidth, innerWidth]"
        )
        assert wide <= shown
    finally:
        page.driver.set_window_size(1300, 1400)


def test_everything_that_can_be_used_has_a_name(page):
    page.open("i=item+1&i=item+2&beside=1&map=1")
    page.until(lambda: page.texts("#legend li") and page.rows(2))
    for each in page.all("button, input, select, canvas, svg[role=img]"):
        assert each.accessible_name, each.get_attribute("outerHTML")


def test_a_server_may_go_and_come_back(page, parts):
    with contextlib.ExitStack() as stack:
        server = ExplorerServer(*parts, "127.0.0.1", 0)
        port = int(server.url.rpartition(":")[2].strip("/"))
        own = Page(page.driver, server.url).open("i=item+1")
        server.stop()
        own.click("#lists button.plain")
        own.until(lambda: "does not answer" in own.texts("#gone")[0])
        assert len(own.history()) == 2
        stack.callback(ExplorerServer(*parts, "127.0.0.1", port).stop)
        own.until(lambda: not own.texts("#gone"))
        own.until(lambda: own.history()[1] not in own.rows())
