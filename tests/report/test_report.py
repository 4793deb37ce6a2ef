"""The report's page: well-formed, self-contained, safe with any name, and right in what it says."""

from __future__ import annotations

import base64
import io
import math
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from stito.errors import AudioError, OutputError, SettingsError
from stito.report import (
    Clip,
    Curve,
    EffectSettings,
    Fact,
    Headline,
    Knob,
    Measured,
    ReportData,
    ReportRow,
    render_report,
    write_report,
)
from stito.report.audio import encode, level_gains_db
from stito.report.plots import convergence_plot, metric_places, spectrum_plot, waveform_path
from stito.report.values import knob_label, moved_knobs, movement, written, written_knob, written_reduction

MakeReport = Callable[..., ReportData]

VOID = frozenset({"meta", "link", "input", "col", "br", "img", "hr"})
SVG_EMPTY = frozenset({"path", "circle"})


class Page(HTMLParser):
    """Reads a page, holding every start tag against its end tag."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"<{tag}> has an attribute twice: {attrs}"
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in SVG_EMPTY, f"<{tag}/> does not close itself in HTML"
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self, name: str) -> list[str]:
        return [value for _, attrs in self.tags if (value := attrs.get(name)) is not None]


@pytest.fixture(scope="module")
def page_text(make_report: MakeReport) -> str:
    return render_report(make_report("mix", "drums", seconds=2.0))


@pytest.fixture(scope="module")
def page(page_text: str) -> Page:
    return Page(page_text)


def bare(*rows: ReportRow, **fields: object) -> ReportData:
    """A report without sound, which is quick to render."""
    return replace(ReportData("a → b", Headline(2.0, 1.0), [], rows), **fields)  # type: ignore[arg-type]


class TestThePage:
    def test_starts_as_html_and_every_tag_is_closed(self, page_text: str) -> None:
        assert page_text.lower().startswith("<!doctype html>")
        Page(page_text)

    def test_ids_are_unique_and_links_lead_somewhere(self, page: Page) -> None:
        ids = page.attributes("id")
        assert len(ids) == len(set(ids))
        assert {link.removeprefix("#") for link in page.attributes("href") if link.startswith("#")} <= set(ids)
        assert set(page.attributes("aria-labelledby")) <= set(ids)

    def test_loads_nothing(self, page: Page, page_text: str) -> None:
        assert page.attributes("src") == []
        assert all(link.startswith(("#", "data:")) for link in page.attributes("href"))
        assert not re.search(r"https?://|@import|url\(|fetch\(|XMLHttpRequest", page_text)
        policy = page.attributes("content")[-1]
        assert policy.startswith("default-src 'none'")

    def test_says_what_was_given(self, page: Page, make_report: MakeReport) -> None:
        data = make_report("mix", seconds=0.5)
        findings = (*data.findings.input, data.findings.about, "nothing to mention")
        for said in (data.title, data.command, *data.notes, *findings, "reduction 67 %", "fell from 0.47 to 0.155"):
            assert said in page.text
        for fact in (*data.facts, *data.provenance):
            assert f"{fact.label} {fact.value}" in page.text

    def test_never_speaks_of_the_settings_as_the_only_ones(self, page: Page) -> None:
        assert "other settings can sound the same" in page.text
        assert "the settings" not in page.text.lower()

    def test_a_typical_report_is_not_heavy(self, page_text: str) -> None:
        # 12 s of noise as FLAC in base64; all that is not audio stays small.
        audio = sum(map(len, re.findall(r'<script type="audio/[^>]*>([^<]*)', page_text)))
        assert audio < 1.6e6
        assert len(page_text) - audio < 0.2e6

    @pytest.mark.parametrize(
        "name",
        ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'; alert(1)//", "</script><b>", "{{ 7 * 7 }}"],
    )
    def test_hostile_names_are_only_text(self, name: str) -> None:
        row = ReportRow(
            name,
            players=[Clip("input", np.zeros((1, 500), np.float32), 8000, -math.inf)],
            metrics=[Measured(name, name, 1.0, 2.0, 3.0)],
            convergence=[(1, 2.0), (2, 1.0)],
            distances=(2.0, 1.0),
            loss_before=2.0,
            loss_after=1.0,
            settings=[EffectSettings(name, name, False, [Knob(name, 0.5, 0, 1, 0, name, doc=name)])],
        )

        def page(word: str, row: ReportRow) -> Page:
            facts = [Fact(word, word)]
            return Page(render_report(bare(row, title=word, facts=facts, notes=[word], provenance=facts, command=word)))

        hostile, tame = page(name, row), page("mix", replace(row, name="mix"))
        assert [tag for tag, _ in hostile.tags] == [tag for tag, _ in tame.tags]
        assert "onerror" not in {key for _, attrs in hostile.tags for key in attrs}
        assert " ".join(name.split()) in hostile.text

    def test_leaves_out_what_is_empty(self) -> None:
        text = render_report(bare(ReportRow("mix")))
        page = Page(text)
        assert {"table", "figure", "pre", "ol"}.isdisjoint(tag for tag, _ in page.tags)
        assert "Level-matched" not in page.text

    def test_marks_effects_that_do_nothing(self, page: Page) -> None:
        assert page.text.count("Stereo imager does nothing") == 2
        assert "Compressor does nothing" not in page.text

    @pytest.mark.parametrize(
        ("before", "after", "said", "unsaid"),
        [
            (0.5, 0.1, "fell from 0.5 to 0.1", "rose"),
            (0.1, 0.5, "rose from 0.1 to 0.5", "reduction 400 %"),
            (0.0, 0.0, "stayed at 0", "reduction"),
            (0.3, 0.30001, "stayed at 0.3", "rose"),
        ],
    )
    def test_the_verdict_is_honest(self, before: float, after: float, said: str, unsaid: str) -> None:
        text = Page(render_report(bare(headline=Headline(before, after)))).text
        assert said in text
        assert unsaid not in text

    @pytest.mark.parametrize(("after", "text"), [(0.66, "reduction 34 %"), (5.0, "reduction \N{MINUS SIGN}400 %")])
    def test_the_reduction_is_positive_where_the_distance_shrank(self, after: float, text: str) -> None:
        assert text in Page(render_report(bare(headline=Headline(1.0, after)))).text


class TestWriting:
    def test_leaves_one_whole_file(self, tmp_path: Path) -> None:
        target = tmp_path / "report.html"
        target.write_text("old")
        write_report(target, bare())
        assert target.read_text(encoding="utf-8") == render_report(bare())
        assert list(tmp_path.iterdir()) == [target]

    def test_a_folder_that_cannot_be_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "none").touch()
        with pytest.raises(OutputError, match=r"report\.html") as caught:
            write_report(tmp_path / "none" / "report.html", bare())
        assert caught.value.hint

    def test_a_failed_write_keeps_the_old_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        target = tmp_path / "report.html"
        target.write_text("old")

        def full(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("os.replace", full)
        with pytest.raises(OutputError, match="disk is full"):
            write_report(target, bare())
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]


class TestExcerpts:
    @pytest.mark.parametrize("rate", [44_100, 48_000, 96_000])
    def test_sound_like_what_went_in(self, rate: int) -> None:
        t = np.arange(rate) / rate
        tone = 0.5 * np.stack([np.sin(2 * np.pi * 440 * t), np.sin(2 * np.pi * 660 * t)]).astype(np.float32)
        excerpt = encode(tone, rate)
        assert excerpt.mime == "audio/flac"
        heard, heard_rate = soundfile.read(io.BytesIO(base64.b64decode(excerpt.text)))
        assert heard_rate == rate
        assert heard.shape == tone.T.shape
        assert np.abs(heard - tone.T).max() < 2**-15

    def test_are_levelled_to_the_quietest(self) -> None:
        samples = np.zeros((2, 10), np.float32)
        clips = [Clip("input", samples, 44_100, lufs) for lufs in (-23.0, -9.5, -math.inf, -14.0)]
        assert level_gains_db(clips) == pytest.approx([0.0, -13.5, 0.0, -9.0])

    def test_of_silence_alone_are_left_alone(self) -> None:
        assert level_gains_db([Clip("input", np.zeros((1, 10), np.float32), 44_100, -math.inf)]) == [0.0]

    @pytest.mark.parametrize("samples", [np.zeros(10), np.zeros((3, 10)), np.zeros((2, 0)), np.full((2, 4), np.nan)])
    def test_that_are_no_audio_are_refused(self, samples: np.ndarray) -> None:
        with pytest.raises(AudioError, match="excerpt"):
            Clip("input", samples, 44_100, -20.0)


class TestValues:
    @pytest.mark.parametrize(
        ("value", "unit", "text"),
        [
            (2436.0, "Hz", "2.4 kHz"),
            (632.4, "Hz", "632 Hz"),
            (999.9, "Hz", "1.0 kHz"),
            (12.2, "ms", "12 ms"),
            (0.35, "ms", "0.35 ms"),
            (1480.0, "ms", "1.5 s"),
            (0.25, "s", "250 ms"),
            (-3.52, "dB", "−3.5 dB"),
            (-0.04, "dB", "0.0 dB"),
            (34.6, "%", "35%"),
            (3.24, ":1", "3.2:1"),
            (0.707, "", "0.71"),
            (-math.inf, "LUFS", "−∞ LUFS"),
            (math.nan, "dB", "–"),
            (None, "dB", "–"),
        ],
    )
    def test_are_written_as_people_say_them(self, value: float | None, unit: str, text: str) -> None:
        assert written(value, unit) == text

    def test_gains_that_go_both_ways_carry_their_sign(self) -> None:
        assert written_knob(Knob("gain_db", 3.5, -18, 18, 0, "dB")) == "+3.5 dB"
        assert written_knob(Knob("makeup_db", 3.5, 0, 18, 0, "dB")) == "3.5 dB"
        assert written_knob(Knob("ratio", 3.2, 1, 20, 1)) == "3.2:1"

    def test_few_rows_hold_the_knobs_that_matter_band_by_band(self) -> None:
        def band(name: str, gain: float) -> list[Knob]:
            return [
                Knob(f"{name}_gain_db", gain, -15, 15, 0, "dB", depth=True),
                Knob(f"{name}_hz", 90, 30, 200, 80, "Hz"),
            ]

        knobs = [*band("low", -6.0), *band("low_mid", 0.0), Knob("mix", 1.0, 0, 1, 1), Knob("link", 0.5, 0, 1, 1)]
        groups = moved_knobs(EffectSettings("eq", "eq", False, knobs))
        assert [[knob.name for knob in group] for group in groups] == [["low_gain_db", "low_hz"], ["link"]]

    def test_knobs_are_named_in_words(self) -> None:
        assert [knob_label(name) for name in ("low_gain_db", "ratio", "db")] == ["low gain", "ratio", "db"]

    def test_a_reduction_never_claims_all_before_all_is_there(self) -> None:
        texts = [written_reduction(percent) for percent in (0.0, 67.0, 99.9, 100.0, -20.0, -0.003)]
        assert texts == ["0 %", "67 %", "99 %", "100 %", "\N{MINUS SIGN}20 %", "0 %"]

    @pytest.mark.parametrize(
        ("values", "expected"),
        [
            ((-23.0, -15.0, -14.0), "closer"),
            ((-23.0, -6.0, -14.0), "closer"),
            ((-15.0, -10.0, -14.0), "further"),
            ((-15.0, -15.01, -14.0), "unchanged"),
            ((-15.0, -14.0, None), None),
            ((-math.inf, -14.0, -14.0), None),
        ],
    )
    def test_movement_is_towards_or_away(self, values: tuple[float, float, float | None], expected: str | None) -> None:
        assert movement(Measured("Loudness", "LUFS", *values)) == expected

    @given(st.floats(20, 20_000), st.sampled_from(["linear", "log"]))
    def test_a_knob_stands_within_its_range(self, value: float, scale: str) -> None:
        knob = Knob("cutoff_hz", value, 20, 20_000, 1000, "Hz", scale)  # type: ignore[arg-type]
        assert 0 <= knob.place(value) <= 1
        assert knob.place(20) == 0
        assert knob.place(20_000) == 1

    def test_a_log_knob_counts_in_octaves(self) -> None:
        knob = Knob("cutoff_hz", 632.0, 20, 20_000, 1000, "Hz", "log")
        assert knob.place(math.sqrt(20 * 20_000)) == pytest.approx(0.5)

    def test_headline_without_distance_has_no_reduction(self) -> None:
        assert Headline(0.0, 0.1).reduction is None


def path_points(path: str) -> np.ndarray:
    return np.array([[float(v) for v in pair.split()] for pair in re.split("[ML]", path)[1:]])


class TestPlots:
    def test_a_louder_spectrum_is_drawn_higher(self, curve: Curve) -> None:
        louder = replace(curve, voice="result", db=curve.db + 12)
        low, high = (path_points(line.path) for line in spectrum_plot([curve, louder]).lines)
        assert (high[:, 1] < low[:, 1]).all()
        assert low[0, 0] == 0
        assert low[-1, 0] == 1000

    def test_a_spectrum_is_not_drawn_where_it_says_nothing(self, curve: Curve) -> None:
        narrow = replace(curve, freq_hz=np.array([0.0, 200.0, 2000.0]), db=np.array([-90.0, -30.0, -30.0]))
        points = path_points(spectrum_plot([narrow]).lines[0].path)
        assert points[0, 0] == pytest.approx(1000 / 3, abs=10)
        assert points[-1, 0] == pytest.approx(2000 / 3, abs=10)

    def test_a_spectrum_of_two_lengths_is_refused(self) -> None:
        with pytest.raises(SettingsError, match="spectrum"):
            Curve("input", np.ones(3), np.ones(4))

    def test_convergence_only_descends(self) -> None:
        row = ReportRow("mix", convergence=[(10, 0.5), (20, math.inf), (30, 0.8), (40, 0.2)], loss_before=0.6)
        plot = convergence_plot(row)
        assert plot is not None
        before, best = plot.lines
        assert before.path.endswith("H1000")
        heights = [int(v) for v in re.findall(r"V(\d+)", best.path)]
        assert heights == sorted(heights)
        assert len(heights) == 1
        assert plot.readout["values"][-1] == ["0.500", "0.500", "0.200"]

    def test_without_a_search_there_is_no_convergence(self) -> None:
        assert convergence_plot(ReportRow("mix", convergence=[(1, math.nan)], loss_before=0.6)) is None

    @example(losses=[5e-324], before=0.0)
    @given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-1e6, 1e6))
    def test_any_losses_stay_on_the_canvas(self, losses: list[float], before: float) -> None:
        plot = convergence_plot(ReportRow("mix", convergence=list(enumerate(losses, 1)), loss_before=before))
        assert plot is not None
        assert all(-0.001 <= tick.at <= 100.001 for tick in (*plot.x_ticks, *plot.y_ticks))
        assert 2 <= len(plot.y_ticks) <= 7
        for line in plot.lines:
            assert all(0 <= int(number) <= 1000 for number in re.findall(r"-?\d+", line.path))

    def test_a_waveform_is_tall_where_it_is_loud(self) -> None:
        samples = np.concatenate([np.full(5000, 0.1), np.full(5000, -0.8)])[None].astype(np.float32)
        bars = [int(v) for v in re.findall(r"v(\d+)", waveform_path(Clip("input", samples, 44_100, -10), 1.0))]
        assert bars[0] == 100
        assert bars[-1] == 800

    def test_a_clip_shorter_than_its_bars_is_drawn(self) -> None:
        assert waveform_path(Clip("input", np.ones((2, 3), np.float32), 44_100, -10), 1.0).count("M") == 220

    def test_metric_places_keep_their_order(self) -> None:
        assert metric_places(Measured("m", "dB", -10, 0, -5)) == {"input": 0, "result": 100, "reference": 50}
        assert metric_places(Measured("m", "dB", 1, 1, 1)) == {"input": 50, "result": 50, "reference": 50}
        assert metric_places(Measured("m", "dB", 1, None, 1)) is None
