"""The command line: what it writes, what it says, and that bad input ends in a message and a hint."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from conftest import CHAIN
from stito.audio import read_audio
from stito.cli.endings import as_interrupts
from stito.mix import read_mix

QUICK = ["--chain", CHAIN, "--evaluations", "16"]


def stito(*arguments: object, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "stito", *map(str, arguments)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, **options)  # type: ignore[call-overload,no-any-return]


@pytest.fixture(scope="module")
def transferred(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One transfer whose output many tests look at."""
    out = tmp_path_factory.mktemp("cli") / "out"
    return out, stito("transfer", songs / "night", songs / "street", "-o", out, *QUICK)


def test_help_is_quick_and_light() -> None:
    code = (
        "import sys; sys.argv = ['stito', '--help']\n"
        "from stito.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'pedalboard', 'numpy', 'rich', 'pydantic'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    for command in ("transfer", "apply", "compare", "analyze", "embed", "effects", "encoders", "demo"):
        assert command in done.stdout


@pytest.mark.parametrize("command", ["transfer", "apply", "compare", "analyze", "embed", "effects", "encoders", "demo"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    done = stito(command, "--help")
    assert done.returncode == 0
    assert f"stito {command}" in done.stdout.split("Example")[1]


def test_a_transfer_writes_everything(transferred: tuple[Path, subprocess.CompletedProcess[str]], songs: Path) -> None:
    out, done = transferred
    assert done.returncode == 0, done.stderr
    assert {path.name for path in out.iterdir()} == {
        "mix.wav",
        "stems",
        "preset.json",
        "preset.csv",
        "result.json",
        "report.html",
    }
    came = soundfile.info(songs / "night" / "drums.wav")
    for path in [out / "mix.wav", *(out / "stems").iterdir()]:
        info = soundfile.info(path)
        assert (info.samplerate, info.subtype, info.frames) == (came.samplerate, came.subtype, came.frames)
    result = json.loads((out / "result.json").read_text())
    assert result["searches"]["drums"]["evaluations"] <= 16
    assert "searching drums (" in done.stderr, "plain progress where stderr is no terminal"
    assert "distance to reference" in done.stdout
    assert "--evaluations 16" in (out / "report.html").read_text(), "the command that makes it again is whole"


def test_the_stems_sum_to_the_mix(transferred: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    out, _ = transferred
    total = sum(soundfile.read(path)[0] for path in (out / "stems").iterdir())
    assert np.abs(total - soundfile.read(out / "mix.wav")[0]).max() < 1e-5


def test_apply_makes_the_same_audio_again(
    transferred: tuple[Path, subprocess.CompletedProcess[str]], songs: Path, tmp_path: Path
) -> None:
    out, _ = transferred
    done = stito("apply", out / "preset.json", songs / "night", "-o", tmp_path / "again")
    assert done.returncode == 0, done.stderr
    first, second = (read_audio(folder / "mix.wav").samples for folder in (out, tmp_path / "again"))
    assert float((first - second).abs().max()) < 10 ** (-90 / 20)
    done = stito("apply", out / "preset.json", songs / "night", "-o", tmp_path / "none", "--amount", "0")
    assert done.returncode == 0, done.stderr
    none, untouched = read_audio(tmp_path / "none" / "mix.wav").samples, read_mix(songs / "night").sum()
    assert float((none / none.abs().max() - untouched / untouched.abs().max()).abs().max()) < 1e-3


def test_existing_output_is_kept_without_force(
    transferred: tuple[Path, subprocess.CompletedProcess[str]], songs: Path
) -> None:
    out, _ = transferred
    before = (out / "preset.json").read_bytes()
    done = stito("transfer", songs / "night", songs / "street", "-o", out, *QUICK, "--seed", "1")
    assert done.returncode == 1
    assert "already holds" in done.stderr
    assert "--force" in done.stderr
    assert (out / "preset.json").read_bytes() == before


def test_json_on_stdout_and_progress_on_stderr(songs: Path, tmp_path: Path) -> None:
    done = stito("transfer", songs / "night", songs / "street.wav", "-o", tmp_path, "--stem", "drums", *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["format"] == "stito.result"


def test_analyze_embed_effects_encoders(songs: Path, tmp_path: Path) -> None:
    features = json.loads(stito("analyze", songs / "night", "--json").stdout)
    assert set(features) == {"mix", "drums", "bass", "other", "vocals"}
    assert stito("embed", songs / "street.wav", "-o", tmp_path / "e.npz").returncode == 0
    assert np.load(tmp_path / "e.npz")["mix"].ndim == 1
    assert "threshold_db" in stito("effects", "compressor").stdout
    assert "compressor" in stito("effects", "mixing").stdout
    assert "features" in stito("encoders").stdout
    assert "dimensions" in stito("encoders", "features").stdout
    assert "weighted mean" in stito("encoders", "fxencoder*0.7+features*0.3").stdout


def test_compare_prints_a_table_and_keeps_each_method(songs: Path, tmp_path: Path) -> None:
    done = stito(
        "compare",
        songs / "night",
        songs / "street",
        "-o",
        tmp_path,
        "--methods",
        "match,random",
        "--stem",
        "drums",
        *QUICK,
    )
    assert done.returncode == 0, done.stderr
    assert "match" in done.stdout
    assert "random" in done.stdout
    assert (tmp_path / "match" / "report.html").exists()
    assert len(json.loads((tmp_path / "compare.json").read_text())) == 2


def write(path: Path, audio: np.ndarray, rate: int = 44_100) -> Path:
    soundfile.write(path, audio, rate, subtype="FLOAT")
    return path


def noise(samples: int = 44_100, channels: int = 2) -> np.ndarray:
    return 0.1 * np.random.default_rng(0).standard_normal((samples, channels)).astype(np.float32)


def bad_inputs(root: Path) -> dict[str, tuple[Path, str]]:
    """Files that cannot be transferred, and what must be said of each."""
    (root / "text.wav").write_text("not audio at all")
    (root / "empty.wav").write_bytes(b"")
    (root / "folder").mkdir()
    broken = noise()
    broken[100] = np.nan
    return {
        "missing": (root / "missing.wav", "missing.wav"),
        "not audio": (root / "text.wav", "text.wav"),
        "empty": (root / "empty.wav", "empty.wav"),
        "silent": (write(root / "silent.wav", 0 * noise()), "silent"),
        "one sample": (write(root / "one.wav", noise(1)), "one.wav"),
        "not finite": (write(root / "nan.wav", broken), "nan.wav"),
        "empty folder": (root / "folder", "folder"),
    }


@pytest.mark.parametrize(
    "kind", ["missing", "not audio", "empty", "silent", "one sample", "not finite", "empty folder"]
)
def test_bad_input_is_an_error_that_names_it(kind: str, songs: Path, tmp_path: Path) -> None:
    path, word = bad_inputs(tmp_path)[kind]
    out = tmp_path / "out"
    done = stito("transfer", path, songs / "street.wav", "-o", out, *QUICK)
    assert done.returncode == 1, done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == "loading", "something is said at once"
    (error,) = (line for line in lines if line.startswith("Error: "))
    assert word in done.stderr
    assert lines[lines.index(error) + 1].startswith("Hint: ")
    assert "Traceback" not in done.stderr
    assert not out.exists() or not any(out.iterdir())


def test_eight_kilohertz_mono_is_accepted_and_mentioned(songs: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "phone.wav", noise(16_000, 1), 8_000)
    done = stito("transfer", path, songs / "street.wav", "-o", tmp_path / "out", "--channels", "keep", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "4" in done.stdout
    info = soundfile.info(tmp_path / "out" / "mix.wav")
    assert (info.samplerate, info.channels) == (8_000, 1)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--chain", "mixin"], "mixing"),
        (["--chain", "eq | compresor"], "compressor"),
        (["--chain", "none.toml"], "none.toml"),
        (["--encoder", "featurs"], "features"),
        (["--method", "cmaa"], "cma"),
        (["--evaluations", "-5"], "evaluations"),
        (["--evaluations", "0"], "evaluations"),
        (["--seconds", "-1"], "seconds"),
        (["--amount", "2"], "amount"),
        (["--method", "gradient", "--chain", "pedalboard"], "differentiable"),
        (["--device", "quantum"], "quantum"),
        (["--separator", "demusc"], "separator"),
    ],
)
def test_bad_options_are_errors_with_a_way_out(arguments: list[str], word: str, songs: Path, tmp_path: Path) -> None:
    done = stito("transfer", songs / "night", songs / "street", "-o", tmp_path / "out", *arguments)
    assert done.returncode in (1, 2)
    assert word in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_fails_before_the_search(songs: Path, tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    done = stito("transfer", songs / "night", songs / "street", "-o", tmp_path / "out", *QUICK)
    assert done.returncode == 1
    assert "Error: " in done.stderr


def test_a_file_in_the_place_of_the_folder(songs: Path, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("I was here first")
    done = stito("transfer", songs / "night", songs / "street", "-o", tmp_path / "out", *QUICK)
    assert done.returncode == 1
    assert "not a folder" in done.stderr
    assert (tmp_path / "out").read_text() == "I was here first"


def test_a_corrupt_preset_names_file_and_line(songs: Path, tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{\n  "format": "stito.preset",\n  "stems": {}\n}\n')
    done = stito("apply", tmp_path / "p.json", songs / "night", "-o", tmp_path / "out")
    assert done.returncode == 1
    assert "p.json, line 3" in done.stderr


def interrupted(out: Path, songs: Path, *signals: signal.Signals) -> subprocess.Popen[str]:
    """A transfer to which the signals are sent, one after the other, once it searches."""
    command = [sys.executable, "-m", "stito", "transfer", str(songs / "night"), str(songs / "street"), "-o", str(out)]
    command += ["--chain", CHAIN, "--evaluations", "100000"]
    process = subprocess.Popen(
        command,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: [signal.signal(one, signal.SIG_DFL) for one in signals],  # a job in the background ignores
    )
    assert process.stderr is not None
    while "search" not in process.stderr.readline():
        assert process.poll() is None
    for one in signals:
        time.sleep(0.5)
        process.send_signal(one)
    return process


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ctrl_c_saves_the_best_so_far(one: signal.Signals, songs: Path, tmp_path: Path) -> None:
    """And so do a cluster that takes the machine back, and a terminal that is closed."""
    out = tmp_path / "out"
    process = interrupted(out, songs, one)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert json.loads((out / "result.json").read_text())["interrupted"]
    assert (out / "mix.wav").exists()


def test_a_terminal_that_is_gone_does_not_stop_the_saving(songs: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    main, terminal = pty.openpty()
    command = [sys.executable, "-m", "stito", "transfer", songs / "night", songs / "street", "-o", tmp_path / "out"]
    command += ["--chain", CHAIN, "--evaluations", "100000"]
    environment = os.environ | {"TERM": "xterm", "COLUMNS": "120"}
    process = subprocess.Popen(list(map(str, command)), stdout=terminal, stderr=terminal, env=environment)
    os.close(terminal)
    seen = b""
    while b"evaluations" not in seen:
        assert select.select([main], [], [], 60.0)[0], seen
        seen += os.read(main, 1 << 16)
    os.close(main)
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == 0
    assert json.loads((tmp_path / "out" / "result.json").read_text())["interrupted"]


@pytest.mark.parametrize("one", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_where_there_is_nothing_to_keep_the_status_names_the_signal(one: signal.Signals) -> None:
    code = (
        "import os, sys, time; sys.argv = ['stito', 'effects']\n"
        "import stito.cli as cli\n"
        f"cli.cli.invoke = lambda context: (os.kill(os.getpid(), {one.value}), time.sleep(60))\n"
        "cli.main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: signal.signal(one, signal.SIG_DFL),
    )
    assert done.returncode == 128 + one
    assert "Interrupted." in done.stderr
    assert "Traceback" not in done.stderr


def test_handlers_come_back_and_what_is_ignored_stays_so() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        with as_interrupts() as ending:
            os.kill(os.getpid(), signal.SIGHUP)  # as under nohup
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGTERM)
            assert ending.status == 143
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGTERM, before[0])
        signal.signal(signal.SIGHUP, before[1])


def test_black_box_chains_leave_a_script_that_makes_the_same_audio(songs: Path, tmp_path: Path) -> None:
    out, again = tmp_path / "out", tmp_path / "again.wav"
    arguments = ["--stem", "drums", "--chain", "pedalboard", "--evaluations", "16"]
    done = stito("transfer", songs / "night", songs / "street", "-o", out, *arguments)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, str(out / "drums.pedalboard.py"), str(songs / "night" / "drums.wav"), str(again)]
    subprocess.run(command, check=True)
    first, second = (read_audio(path).samples for path in (out / "mix.wav", again))
    assert float((first - second).abs().max()) < 10 ** (-90 / 20)


def test_an_unknown_command_suggests() -> None:
    done = stito("transfr")
    assert done.returncode == 2
    assert "transfer" in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = stito("--debug", "analyze", tmp_path / "none.wav")
    assert "Traceback" in done.stderr


def test_a_third_party_plugin_is_used_by_name(songs: Path, tmp_path: Path) -> None:
    arguments = ["--chain", "example_chain", "--encoder", "example_encoder", "--method", "example_hillclimb"]
    arguments += ["--evaluations", "16"]
    done = stito("transfer", songs / "night", songs / "street", "-o", tmp_path / "out", "--stem", "drums", *arguments)
    assert done.returncode == 0, done.stderr
    preset = json.loads((tmp_path / "out" / "preset.json").read_text())
    parts = stito(
        "transfer",
        songs / "street.wav",
        songs / "street",
        "-o",
        tmp_path / "split",
        "--separator",
        "example_split",
        "--method",
        "match",
    )
    assert parts.returncode == 0, parts.stderr
    assert {path.stem for path in (tmp_path / "split" / "stems").iterdir()} == {"bass", "other"}
    assert any(effect["effect"] == "example_tremolo" for effect in preset["stems"]["drums"]["chain"])


def test_every_kind_of_plugin_is_listed_with_who_brought_it() -> None:
    everything, methods = stito("plugins").stdout, stito("plugins", "method").stdout
    for kind in ("effect", "encoder", "chain", "search", "method", "separator", "predictor", "converter", "metric"):
        assert f"{kind}:" in everything
    (third_party,) = (line for line in methods.splitlines() if line.startswith("example_halfway"))
    assert "stito-example-plugin" in third_party
    assert "Half of the closed form" in third_party
    unknown = stito("plugins", "methods")
    assert unknown.returncode == 1
    assert "method" in unknown.stderr


def test_help_lists_the_methods_that_are_installed() -> None:
    shown = " ".join(stito("transfer", "--help").stdout.split())
    assert "example_halfway" in shown
    assert "example_encoder" in shown


@pytest.mark.parametrize("words", ["effects", "--help", "plugins method"])
def test_a_reader_that_stops_reading_is_no_error(words: str) -> None:
    code = f"set -o pipefail; {sys.executable} -m stito {words} | true"
    done = subprocess.run(["bash", "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_name_of_a_file_is_no_folder_for_results(songs: Path, tmp_path: Path) -> None:
    done = stito("transfer", songs / "street.wav", songs / "street.wav", "-o", tmp_path / "result.wav")
    assert done.returncode == 1
    assert "Name a folder" in done.stderr
    assert not (tmp_path / "result.wav").exists()


def test_documents_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_bytes(b'\xef\xbb\xbf[[effects]]\neffect = "eq"\n')
    assert stito("effects", tmp_path / "mine.toml").returncode == 0


@pytest.mark.parametrize("error", ["MemoryError()", 'RuntimeError("DefaultCPUAllocator: can\'t allocate memory")'])
def test_too_little_memory_is_a_message_with_a_way_out(error: str) -> None:
    code = (
        "import sys, stito.cli as c, click\n"
        "sys.argv = ['stito', 'effects']\n"
        "@click.command()\n"
        "@click.argument('name', required=False)\n"
        f"def heavy(name): raise {error}\n"
        "import stito.cli.catalogue; stito.cli.catalogue.effects = heavy\n"
        "c.main()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "not enough memory" in done.stderr
    assert "Traceback" not in done.stderr


def test_names_whose_bytes_are_no_text_are_read_and_written(songs: Path, tmp_path: Path) -> None:
    stems = tmp_path / "stems"
    stems.mkdir()
    for name, file in ((b"v\xe9rse.wav", "vocals.wav"), (b"drums.wav", "drums.wav")):
        Path(os.fsdecode(os.fsencode(stems) + b"/" + name)).write_bytes((songs / "night" / file).read_bytes())
    done = stito("transfer", stems, songs / "street.wav", "-o", tmp_path / "out", "--method", "match")
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out" / "stems").iterdir())) == 2
