"""A batch makes what single transfers make, keeps what is done, and no pair costs another."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import active_children
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from conftest import RATE
from stito.compute.workers import cluster
from stito.engine.result import Solved
from stito.errors import OutputError, OutputExistsError, SettingsError, StitoError
from stito.workflows.batch import BatchProgress, run_batch
from stito.workflows.batch_job import ASIDE, BatchRow, make_pair
from stito.workflows.batch_pairs import BatchPair
from stito.workflows.folder import NAMES
from stito.workflows.transfer import Transfer, run_transfer

ENGINE = Transfer(method="match", chain="eq | gain", excerpt_seconds=0.5, excerpt_count=1, stem="drums")


def sound(path: Path, *, seed: int, gain: float = 0.2) -> Path:
    """A second of noise, which has fewer highs the larger its seed."""
    noise = np.random.default_rng(seed).normal(size=(RATE, 2))
    soundfile.write(path, gain * np.cumsum(noise * 0.9, axis=0) / 60 + 0.05 * noise / (1 + seed), RATE)
    return path


@pytest.fixture
def pairs(tmp_path: Path) -> list[BatchPair]:
    """Two pairs that can be made, and one between them that cannot."""
    reference = sound(tmp_path / "reference.wav", seed=3)
    (tmp_path / "bad.wav").write_bytes(b"RIFF, and nothing else")
    inputs = {
        "one": sound(tmp_path / "one.wav", seed=1),
        "bad": tmp_path / "bad.wav",
        "två": sound(tmp_path / "2.wav", seed=2),
    }
    return [BatchPair(name, source, reference, ENGINE) for name, source in inputs.items()]


def made_here(pair: BatchPair, outdir: Path) -> BatchRow:
    return make_pair(pair, outdir, torch.get_num_threads())


def timeless(path: Path) -> Any:
    """A JSON file without the seconds that something took."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: without(inner) for key, inner in value.items() if key not in ("seconds", "phases")}
        return value

    return without(json.loads(path.read_text()))


def begun(told: list[BatchProgress]) -> list[str]:
    return [progress.name for progress in told if progress.state == "begun"]


def test_each_folder_is_what_a_single_transfer_makes(pairs: list[BatchPair], tmp_path: Path) -> None:
    told: list[BatchProgress] = []
    out = tmp_path / "out"
    rows = run_batch(pairs, out, workers=2, on_pair=told.append)
    assert [(row.name, row.status) for row in rows] == [("one", "done"), ("bad", "failed"), ("två", "done")]
    assert sorted(path.name for path in out.iterdir()) == sorted([ASIDE, "one", "två", "summary.csv", "index.html"])
    assert not list(out.rglob("*.part"))
    for pair in (pairs[0], pairs[2]):
        single = tmp_path / f"single {pair.name}"
        run_transfer(pair.engine, pair.input, pair.reference, single)
        assert {path.name for path in single.iterdir()} == {path.name for path in (out / pair.name).iterdir()}
        for name in ("mix.wav", "preset.csv"):
            assert (out / pair.name / name).read_bytes() == (single / name).read_bytes()
        for name in ("preset.json", "result.json"):
            assert timeless(out / pair.name / name) == timeless(single / name)
    with (out / "summary.csv").open(newline="", encoding="utf-8") as file:
        table = list(csv.DictReader(file))
    assert [row["name"] for row in table] == ["one", "bad", "två"]
    found = json.loads((out / "one" / "result.json").read_text())["searches"]["drums"]
    assert float(table[0]["distance_before"]) == pytest.approx(found["loss_before"], abs=1e-6)
    assert float(table[0]["distance_after"]) == pytest.approx(found["loss_after"], abs=1e-6)
    assert "bad.wav" in table[1]["error"]
    assert table[1]["hint"]
    page = (out / "index.html").read_text(encoding="utf-8")
    assert 'href="tv%C3%A5/report.html"' in page
    assert "bad.wav" in page
    assert told[-1].finished == 3
    assert sorted(begun(told)) == ["bad", "one", "två"]
    assert any(progress.seconds_left is not None for progress in told)

    # the same again: what is done is kept, what failed is tried anew
    before = (out / "one" / "mix.wav").stat()
    told.clear()
    assert run_batch(pairs, out, on_pair=told.append)[0] == rows[0]
    assert begun(told) == ["bad"]
    assert (told[0].state, told[0].finished) == ("kept", 2)
    assert (out / "one" / "mix.wav").stat() == before


def todo(pairs: list[BatchPair], outdir: Path, monkeypatch: pytest.MonkeyPatch, **options: Any) -> list[str]:
    """The pairs that a batch would make, and does not."""
    asked: list[str] = []

    def nothing_made(wanted: Any, *_: Any) -> Iterator[BatchRow]:
        asked.extend(pair.name for pair in wanted)
        yield from (BatchRow(name, "", "", "failed", "", "") for name in asked)

    with monkeypatch.context() as patched:
        patched.setattr("stito.workflows.batch._side_by_side", nothing_made)
        run_batch(pairs, outdir, **options)
    return asked


def test_what_is_not_whole_or_of_something_else_is_made_anew(
    pairs: list[BatchPair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, (one, _, two) = tmp_path / "out", pairs
    good = [one, two]
    assert [made_here(pair, out).status for pair in good] == ["done", "done"]
    assert todo(good, out, monkeypatch) == []
    assert todo(good, out, monkeypatch, force=True) == ["one", "två"]
    assert todo([one, replace(two, engine=replace(ENGINE, amount=0.5))], out, monkeypatch) == ["två"]
    assert todo([replace(one, reference=two.input), two], out, monkeypatch) == ["one"]
    sound(one.input, seed=4)
    assert todo(good, out, monkeypatch) == ["one"]
    made_here(one, out)
    assert todo(good, out, monkeypatch) == []
    result = out / "one" / "result.json"
    result.write_text(result.read_text()[:-20])
    assert todo(good, out, monkeypatch) == ["one"]
    made_here(one, out)
    (out / "one" / "mix.wav").unlink()
    assert todo(good, out, monkeypatch) == ["one"]
    shutil.rmtree(out / "två")
    assert todo(good, out, monkeypatch) == ["one", "två"]
    part = out / ASIDE / "killed.part"
    part.mkdir()
    assert todo(good, out, monkeypatch) == ["one", "två"]
    assert not part.exists()


def test_what_somebody_else_put_there_stays(pairs: list[BatchPair], tmp_path: Path) -> None:
    out, one = tmp_path / "out", pairs[0]
    made_here(one, out)
    (out / "one" / "my notes.txt").write_text("louder")
    made_here(replace(one, engine=replace(ENGINE, amount=0.5)), out)
    assert (out / "one" / "my notes.txt").read_text() == "louder"
    assert json.loads((out / "one" / "preset.json").read_text())["provenance"]["amount"] == 0.5
    run_transfer(ENGINE, one.input, one.reference, out / "två")
    before = (out / "två" / "mix.wav").read_bytes()
    with pytest.raises(OutputExistsError, match="no batch made"):
        run_batch(pairs, out)
    (out / "bad").write_text("a file")
    with pytest.raises(OutputError, match="not a folder"):
        run_batch(pairs, out, force=True)
    with pytest.raises(OutputError, match="which is an input"):
        run_batch([replace(one, input=out / "one" / "mix.wav")], out, force=True)
    assert (out / "två" / "mix.wav").read_bytes() == before
    assert not (out / "summary.csv").exists()


def test_nothing_half_is_left_where_a_pair_ends_early(
    pairs: list[BatchPair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, one = tmp_path / "out", pairs[0]

    def full(*_: Any) -> None:
        raise RuntimeError("not foreseen")

    with monkeypatch.context() as patched:
        patched.setattr("stito.workflows.transfer.write_results", full)
        row = made_here(one, out)
    assert row.error == "RuntimeError: not foreseen"
    assert row.hint.startswith("To see where it comes from: stito --debug transfer ")
    assert not (out / "one").exists()

    from stito.workflows import transfer

    def ended(*arguments: Any, **options: Any) -> Solved:
        return replace(transfer_solve(*arguments, **options), interrupted=True)

    transfer_solve = transfer.solve
    monkeypatch.setattr(transfer, "solve", ended)
    with pytest.raises(KeyboardInterrupt):
        made_here(one, out)
    assert not (out / "one").exists()
    assert not list((out / ASIDE).iterdir())


class Deadly(BatchPair):
    """A pair that ends whatever process takes it up."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (1,)


def test_a_process_that_dies_costs_its_own_pair_alone(pairs: list[BatchPair], tmp_path: Path) -> None:
    one, _, two = pairs
    deadly = Deadly("deadly", one.input, one.reference, ENGINE)
    rows = {row.name: row for row in run_batch([deadly, one, two], tmp_path / "out", workers=2)}
    assert (rows["one"].status, rows["två"].status) == ("done", "done")
    assert rows["deadly"].error.startswith("The process died")


def test_a_pair_whose_process_was_killed_is_made_again(pairs: list[BatchPair], tmp_path: Path) -> None:
    killed: list[int] = []

    def kill_the_first(progress: BatchProgress) -> None:
        if progress.state == "begun" and not killed:
            killed.extend(child.pid or 0 for child in active_children())
            os.kill(killed[-1], signal.SIGKILL)

    (row,) = run_batch(pairs[:1], tmp_path / "out", on_pair=kill_the_first)
    assert killed
    assert row.status == "done"
    assert not list((tmp_path / "out").rglob("*.part"))


def test_a_cluster_makes_the_same(pairs: list[BatchPair], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=50) as local,
        cluster(local.scheduler_address) as executor,
    ):
        rows = run_batch(pairs, tmp_path / "out", executor=executor)
    assert [row.status for row in rows] == ["done", "failed", "done"]
    made_here(pairs[0], tmp_path / "here")
    here, there = (tmp_path / folder / "one" / "mix.wav" for folder in ("here", "out"))
    assert here.read_bytes() == there.read_bytes()


def test_no_workers_make_nothing(pairs: list[BatchPair], tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="0 workers"):
        run_batch(pairs, tmp_path / "out", workers=0)


def test_one_of_many_in_memory_may_fail(pairs: list[BatchPair]) -> None:
    failed: list[tuple[Any, str]] = []
    sounds = [(pair.input, pair.reference) for pair in pairs]
    results = list(ENGINE.run_many(sounds, on_error=lambda mix, _, error: failed.append((mix, error.message))))
    assert len(results) == 2
    assert failed[0][0] == pairs[1].input
    assert set(NAMES) - {"stems"} == {path.name for path in results[1].save(pairs[0].input.parent / "saved").iterdir()}
    with pytest.raises(StitoError, match=r"bad\.wav"):
        list(ENGINE.run_many(sounds))
