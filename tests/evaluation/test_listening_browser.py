"""A whole listening test in a browser, from the first click to the file of answers, by mouse and by keys."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from chromium import chromium, needs_chromium
from stito.evaluation.listening.analysis import analyse
from stito.evaluation.listening.build import Questions, build_test
from stito.evaluation.listening.responses import read_key, read_responses
from stito.evaluation.listening.trials import Trial

pytestmark = needs_chromium
RATE = 16_000
SCORES = {"hidden": 100, "near": 80, "far": 30, "anchor70": 50, "anchor35": 20}


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, downloads: Path) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile"), downloads) as driver:
        yield driver


@pytest.fixture(scope="module")
def test_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("test")
    trials = []
    for number, name in enumerate(("one", "two", "training")):
        x = 0.1 * torch.randn(2, 2 * RATE, generator=torch.Generator().manual_seed(number))
        trials.append(Trial(name, x, x, {"near": x.flip(0), "far": x.cumsum(1) * 0.01}, RATE, name == "training"))
    build_test(trials, folder, seconds=1.0, questions=Questions(title="Which noise?"))
    return folder


def wait(condition: Callable[[], object], seconds: float = 10.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "this takes too long"
        time.sleep(0.02)


class Page:
    """What a listener can do."""

    def __init__(self, driver: Any, folder: Path) -> None:
        self.driver = driver
        key = json.loads((folder / "key.json").read_text())
        self.names = {stimulus: name for trial in key["trials"] for stimulus, name in trial["stimuli"].items()}
        driver.get((folder / "page" / "index.html").as_uri())

    def begin_anew(self) -> None:
        """Another listener, whatever the one before has done."""
        self.driver.execute_script("state = fresh(); goTo(-1);")

    def one(self, selector: str) -> Any:
        return self.driver.find_element("css selector", selector)

    def all(self, selector: str) -> list[Any]:
        return list(self.driver.find_elements("css selector", selector))

    def keys(self, *keys: str, shift: bool = False) -> None:
        from selenium.webdriver.common.action_chains import ActionChains
        from selenium.webdriver.common.keys import Keys

        chain = ActionChains(self.driver)
        if shift:
            chain.key_down(Keys.SHIFT).send_keys(*keys).key_up(Keys.SHIFT).perform()
        else:
            chain.send_keys(*keys).perform()

    def run(self, script: str) -> Any:
        return self.driver.execute_script(f"return {script}")

    @property
    def status(self) -> str:
        return str(self.one("#status").text)

    @property
    def order(self) -> list[str]:
        """What the sounds of this page are, A first; only the experimenter could know."""
        return [self.names[stimulus] for stimulus in self.run("state.trials[state.at].order")]


def test_a_whole_test_from_the_first_click_to_the_answers(browser: Any, test_folder: Path, downloads: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    page = Page(browser, test_folder)
    assert page.one("h1").text == "Which noise?"
    page.one("#name").send_keys("ann 0")  # keys are text here
    page.one("#begin").click()
    assert page.one(".where").text == "For practice, 1 of 3"

    # practice, by mouse
    page.one("#next").click()
    assert page.status == "Not heard yet: A, B, C, D, E."
    rows = page.all(".sounds li")
    assert len(rows) == 5
    sliders = page.all(".sounds input")
    assert not any(slider.is_enabled() for slider in sliders)
    for row, slider in zip(rows, sliders, strict=True):
        row.find_element("css selector", "button").click()
        wait(slider.is_enabled)
        assert sum(other.is_enabled() for other in sliders) == 1  # what is heard is what can be rated
    page.one("#next").click()
    assert page.status == "Not rated yet: A, B, C, D, E."
    for row, slider in zip(rows, sliders, strict=True):
        row.find_element("css selector", "button").click()
        wait(slider.is_enabled)
        slider.click()  # its middle
    page.one("#next").click()
    assert page.status == "One of them is as good as it gets: rate it 100."
    sliders[4].send_keys(Keys.SHIFT, *[Keys.ARROW_UP] * 5)
    page.one("#next").click()
    assert page.one(".where").text == "2 of 3"

    # the first that counts, by keys
    def rate_by_keys() -> None:
        for number, name in enumerate(page.order, 1):
            page.keys(str(number))
            wait(lambda number=number: page.all(".sounds input")[number - 1].is_enabled())  # type: ignore[misc]
            tens, ones = divmod(SCORES[name], 10)
            page.keys(*[Keys.ARROW_UP] * ones)
            page.keys(*[Keys.ARROW_UP] * tens, shift=True)
        assert [int(output.text) for output in page.all(".sounds output")] == [SCORES[name] for name in page.order]

    rate_by_keys()
    page.keys("0")
    wait(lambda: page.one("#reference").get_attribute("aria-pressed") == "true")
    wait(lambda: page.one("#play").text == "Pause")
    page.keys(" ")
    assert page.one("#play").text == "Play"

    # a reload loses nothing
    done = "JSON.stringify(state.trials.map((trial) => trial.ratings))"
    before = page.run(done)

    def reloaded() -> bool:  # on a busy machine chromium may show the page before it has heard what the last one kept
        browser.refresh()
        return bool(page.run(done) == before)

    wait(reloaded)
    assert page.one(".where").text == "2 of 3"
    page.keys(Keys.ENTER)
    wait(lambda: page.one(".where").text == "3 of 3")
    rate_by_keys()
    page.keys(Keys.ENTER)
    wait(lambda: page.one("h1").text == "Thank you")
    page.one("#comment").send_keys("fine")
    page.one("#save").click()
    wait(lambda: list(downloads.glob("*.json")))
    assert page.status.startswith("Saved among")
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]

    (file,) = downloads.glob("*.json")
    answers = json.loads(file.read_text())
    assert (answers["name"], answers["comment"], len(answers["trials"])) == ("ann 0", "fine", 3)
    assert all(trial["seconds"] > 0 for trial in answers["trials"])
    key = read_key(test_folder)
    ratings = read_responses([file], key)
    assert len(ratings) == 2 * 5  # practice does not count
    assert {rating.condition: rating.score for rating in ratings} == SCORES
    assert analyse(ratings, key).scores[0].condition == "hidden"


def test_one_sound_is_heard_at_a_time_and_none_cross(browser: Any, test_folder: Path) -> None:
    page = Page(browser, test_folder)
    page.begin_anew()
    page.one("#begin").click()
    script = """
        const done = arguments[0];
        const trial = test.trials.find((one) => one.id === state.trials[0].trial);
        (async () => {
          wake();
          const deck = new Deck(await load(trial));
          const gain = (name) => deck.voices[name].gate.gain.value;
          const [a, b] = trial.stimuli;
          const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
          deck.play(a);
          await pause(200);
          const first = [gain(a), gain(b)];
          const before = deck.position;
          deck.turnTo(b);
          await pause(200);
          const second = [gain(a), gain(b)];
          const together = Object.keys(deck.voices).length;
          const after = deck.position;
          deck.stop();
          done({ first, second, together, before, after, playing: deck.playing });
        })().catch((error) => done(String(error)));
    """
    found = browser.execute_async_script(script)
    assert found["first"] == pytest.approx([1, 0], abs=0.02)
    assert found["second"] == pytest.approx([0, 1], abs=0.02)
    assert found["together"] == 6  # five to rate and the open reference
    assert found["after"] > found["before"]  # switching keeps the place
    assert not found["playing"]


def test_pressing_on_while_sounds_load_plays_the_last_one_once(browser: Any, test_folder: Path) -> None:
    page = Page(browser, test_folder)
    page.begin_anew()
    script = """
        const done = arguments[0];
        const decks = new Set();
        const play = Deck.prototype.play;
        Deck.prototype.play = function (name) { decks.add(this); return play.call(this, name); };
        document.getElementById("begin").click();
        for (const button of document.querySelectorAll(".sounds button")) button.click();
        setTimeout(() => done([decks.size, Object.values(state.trials[0].plays).length]), 1500);
    """
    assert browser.execute_async_script(script) == [1, 1]
    assert [slider.is_enabled() for slider in page.all(".sounds input")] == [False] * 4 + [True]


def test_shortcuts_can_be_switched_off(browser: Any, test_folder: Path) -> None:
    page = Page(browser, test_folder)
    page.begin_anew()
    page.one("#begin").click()
    page.one("#shortcuts").click()
    page.one("#stage").click()
    page.keys("1")
    time.sleep(0.2)
    assert page.run("JSON.stringify(state.trials[0].plays)") == "{}"
    page.one("#shortcuts").click()
    page.one("#stage").click()
    page.keys("1")
    wait(lambda: page.run("Object.keys(state.trials[0].plays).length") == 1)


def test_it_fits_a_phone(browser: Any, test_folder: Path) -> None:
    page = Page(browser, test_folder)
    page.begin_anew()
    page.one("#begin").click()
    browser.set_window_size(390, 800)
    try:
        assert page.run("document.documentElement.scrollWidth") <= page.run("window.innerWidth")
    finally:
        browser.set_window_size(1280, 1000)
