"""The report in a browser: it plays, switches without losing its place, levels, obeys keys and fits a phone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from chromium import chromium, needs_chromium
from stito.report import ReportData, write_report

pytestmark = needs_chromium

PLAYER = "document.querySelectorAll('.player')[{row}].player"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile")) as driver:
        yield driver


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, make_report: Callable[..., ReportData]) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(path, make_report("mix", "drums"))
    return path


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The report freshly opened at desk width; afterwards the console must be silent."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(report.as_uri())
    yield browser
    assert browser.get_log("browser") == []


def ask(page: Any, expression: str, row: int = 0) -> Any:
    """What an expression about a row's player, `p`, is worth."""
    return page.execute_script(f"const p = {PLAYER.format(row=row)}; return {expression};")


def wait_for(page: Any, expression: str, row: int = 0, seconds: float = 5.0) -> None:
    end = time.monotonic() + seconds
    while not ask(page, expression, row):
        assert time.monotonic() < end, f"never came true: {expression}"
        time.sleep(0.02)


def press(page: Any, *keys: str) -> None:
    from selenium.webdriver import ActionChains

    ActionChains(page).send_keys(*keys).perform()


def click(page: Any, selector: str, index: int = 0) -> None:
    from selenium.webdriver.common.by import By

    page.find_elements(By.CSS_SELECTOR, selector)[index].click()


def gates(page: Any, row: int = 0) -> list[float]:
    return [round(gain, 3) for gain in ask(page, "p.gates.map((gate) => gate.gain.value)", row)]


def levels_db(page: Any) -> list[float]:
    return list(ask(page, "p.levels.map((level) => 20 * Math.log10(level.gain.value))"))


def test_opens_without_a_word_and_decodes_nothing_yet(page: Any) -> None:
    assert page.title == "funk → sodium · stito"
    assert ask(page, "p.buffers === undefined")
    assert ask(page, "p.time.textContent") == "0:00 / 0:04"


def test_playing_moves_on_and_pausing_stays(page: Any) -> None:
    click(page, ".play")
    wait_for(page, "p.playing && p.now > 0.2")
    assert ask(page, "p.button.getAttribute('aria-label')") == "Pause mix"
    click(page, ".play")
    stopped = ask(page, "p.now")
    time.sleep(0.1)
    assert ask(page, "p.now") == stopped > 0.2
    assert ask(page, "p.root.dataset.state") == "paused"


def test_decoded_excerpts_are_as_long_as_they_were(page: Any) -> None:
    click(page, ".play")
    wait_for(page, "p.playing")
    lengths = ask(page, "p.buffers.map((buffer) => buffer.duration)")
    assert lengths == pytest.approx([4.0, 4.0, 3.0], abs=0.002)


def test_switching_keeps_the_place_and_moves_the_gate(page: Any) -> None:
    click(page, ".play")
    wait_for(page, "p.now > 0.1")
    assert gates(page) == [0, 1, 0]
    started, sources = ask(page, "[p.startedAt, p.sources.length]")
    for index, expected in ((0, [1, 0, 0]), (2, [0, 0, 1]), (1, [0, 1, 0])):
        before = ask(page, "[p.now, context.currentTime]")
        click(page, ".voices input", index)
        after = ask(page, "[p.now, context.currentTime]")
        assert after[0] - before[0] == pytest.approx(after[1] - before[1], abs=1e-6)
        wait_for(page, f"p.gates.every((g, i) => Math.abs(g.gain.value - {expected}[i]) < 0.001)", seconds=1.0)
        assert ask(page, "p.waves.map((wave) => Number(wave.hasAttribute('data-active')))") == expected
    assert ask(page, "[p.startedAt, p.sources.length]") == [started, sources]


def test_levels_match_the_quietest_until_switched_off(page: Any) -> None:
    click(page, ".play")
    wait_for(page, "p.now > 0.05")
    assert levels_db(page) == pytest.approx([0.0, -7.2, -9.4], abs=0.05)
    click(page, ".switch")
    wait_for(page, "p.levels.every((level) => Math.abs(level.gain.value - 1) < 1e-3)", seconds=1.0)
    assert levels_db(page) == pytest.approx([0.0, 0.0, 0.0], abs=0.05)
    press(page, "l")
    wait_for(page, "Math.abs(20 * Math.log10(p.levels[1].gain.value) + 7.2) < 0.05", seconds=1.0)


def test_keys_play_switch_and_seek(page: Any) -> None:
    press(page, " ")
    wait_for(page, "p.playing")
    press(page, "3")
    wait_for(page, "p.gates[2].gain.value === 1", seconds=1.0)
    assert ask(page, "p.radios[2].checked")
    press(page, "1", " ")
    wait_for(page, "!p.playing")
    assert ask(page, "p.active") == 0
    page.execute_script("document.querySelector('.scrub').focus()")
    press(page, "\ue011")  # home
    press(page, "\ue014", "\ue014")  # right, twice
    assert ask(page, "p.now") == pytest.approx(2.0, abs=0.01)
    assert ask(page, "p.scrub.getAttribute('aria-valuenow')") == "2"


def test_space_plays_also_after_a_click_on_a_voice(page: Any) -> None:
    click(page, ".voices input", 2)
    press(page, " ")
    wait_for(page, "p.playing")
    assert ask(page, "p.active") == 2
    press(page, "\ue012")  # left: the radio group moves to its neighbour
    assert ask(page, "p.active") == 1


def test_a_click_in_the_waveform_seeks_there(page: Any) -> None:
    click(page, ".scrub")
    assert ask(page, "p.now") == pytest.approx(2.0, abs=0.05)
    assert not ask(page, "p.playing")


def test_one_row_plays_at_a_time(page: Any) -> None:
    click(page, ".play", 0)
    wait_for(page, "p.playing")
    page.execute_script("document.querySelectorAll('.play')[1].scrollIntoView({block: 'center', behavior: 'instant'})")
    click(page, ".play", 1)
    wait_for(page, "p.playing", row=1)
    assert not ask(page, "p.playing", row=0)


def test_a_shorter_reference_goes_round(page: Any) -> None:
    page.execute_script(f"{PLAYER.format(row=0)}.seek(3.5)")
    press(page, "3")
    assert ask(page, "p.time.textContent") == "0:00 / 0:03"
    press(page, "2")
    assert ask(page, "p.time.textContent") == "0:03 / 0:04"


def test_the_pointer_reads_a_plot(page: Any) -> None:
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.by import By

    area = page.find_element(By.CSS_SELECTOR, ".plot .area")
    page.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", area)
    ActionChains(page).move_to_element(area).perform()
    plot = page.find_element(By.CSS_SELECTOR, ".plot")
    assert plot.find_element(By.CSS_SELECTOR, ".where").text in {"619 Hz", "632 Hz", "646 Hz"}
    assert all(output.text.endswith("dB") for output in plot.find_elements(By.CSS_SELECTOR, ".legend output"))


def test_the_knobs_read_as_a_table(page: Any) -> None:
    folded = page.execute_script("return [...document.querySelectorAll('details.all')].map((all) => all.open)")
    assert folded
    assert not any(folded), "few rows first, all knobs on request"
    page.execute_script("document.querySelector('details.all').open = true")
    rows = page.execute_script(
        "return [...document.querySelector('.effect table').querySelectorAll('tbody tr')]"
        ".map((row) => [row.querySelector('th').innerText, row.querySelector('.value').innerText])"
    )
    assert ["high shelf", "2.4 kHz"] in rows
    assert ["peak gain", "−3.5 dB"] in rows
    first = "document.querySelector('.settings ol').querySelectorAll('details')"
    assert page.execute_script(f"return [...{first}].map((details) => details.open)") == [
        True,
        True,
        False,
        True,
        False,
    ]


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_no_width_scrolls_sideways(page: Any, width: int) -> None:
    page.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": width, "height": 844, "deviceScaleFactor": 1, "mobile": width < 500},
    )
    # A phone widens its layout to what overflows, so both must hold.
    inner, content = page.execute_script("return [innerWidth, document.documentElement.scrollWidth]")
    assert inner == width
    assert content <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Any, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for all colours that carry text."""
    page.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    names = ("ink", "soft", "input", "result", "reference", "worse")
    colours = page.execute_script(
        "const style = getComputedStyle(document.documentElement);"
        "return arguments[0].map((name) => style.getPropertyValue('--' + name).trim());",
        [*names, "card", "paper"],
    )
    *inks, card, paper = map(luminance, colours)
    for name, ink in zip(names, inks, strict=True):
        for ground in (card, paper):
            lighter, darker = max(ink, ground), min(ink, ground)
            assert (lighter + 0.05) / (darker + 0.05) >= 4.5, name


def luminance(colour: str) -> float:
    """The relative luminance of "#rrggbb" (WCAG 2.2)."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
