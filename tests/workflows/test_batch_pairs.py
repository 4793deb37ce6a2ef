"""What a table of pairs, or a folder of songs, asks for; and that what cannot be done is said before it is begun."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from stito.errors import SettingsError, UnknownNameError
from stito.workflows.batch_pairs import BatchPair, anchored, read_pairs, song_pairs
from stito.workflows.transfer import Transfer

OPTIONS = {"method": str, "stem": str, "amount": float, "chain": str}


def make(given: Mapping[str, object]) -> Transfer:
    return Transfer(**{"method": "match", **given})  # type: ignore[arg-type]


def table(folder: Path, text: str) -> Path:
    """A table beside three files that are there."""
    for name in ("a.wav", "b.wav", "r.wav"):
        (folder / name).touch()
    path = folder / "pairs.csv"
    path.write_bytes(text.encode())
    return path


def read(folder: Path, text: str) -> list[BatchPair]:
    return read_pairs(table(folder, text), make=make, options=OPTIONS)


@pytest.mark.parametrize(
    "text",
    [
        "input,reference,stem,amount\na.wav,r.wav,,0.5\nb.wav,r.wav,bass,\n",
        "\ufeffInput, Reference ,stem,amount\r\na.wav,r.wav,,0.5\r\n\r\nb.wav,r.wav,bass\r\n",
        '\ufeffinput;reference;stem;amount\r\n"a.wav"; r.wav;;0.5\r\n;;;\r\nb.wav;r.wav;bass;;\r\n',
        "amount\tstem\treference\tinput\n0.5\t\tr.wav\ta.wav\n\tbass\tr.wav\tb.wav",
    ],
)
def test_tables_as_programs_write_them(tmp_path: Path, text: str) -> None:
    first, second = read(tmp_path, text)
    assert (first.name, first.input, first.reference) == ("a", tmp_path / "a.wav", tmp_path / "r.wav")
    assert (first.engine.amount, first.engine.stem) == (0.5, None)
    assert (second.engine.amount, second.engine.stem) == (1.0, "bass")


def test_a_cell_wins_over_what_holds_for_all(tmp_path: Path) -> None:
    first, second = read(tmp_path, "input,reference,method\na.wav,r.wav,random\nb.wav,r.wav,\n")
    assert (first.engine.method, second.engine.method) == ("random", "match")


@pytest.mark.parametrize(
    ("text", "line", "told"),
    [
        ("", "", "no pairs"),
        ("input,reference\n", "", "no pairs"),
        ("\ninput,reference,metod\na.wav,r.wav,match\n", "line 2", "unknown column 'metod'"),
        ("input,reference,Input\na.wav,r.wav,a.wav\n", "line 1", "twice"),
        ("input,stem\na.wav,bass\n", "line 1", "no column 'reference'"),
        ("input,reference\n\nc.wav,r.wav\n", "line 3", "nothing is at"),
        ("input,reference\na.wav,\n", "line 2", "reference is empty"),
        ("input,reference\na.wav,r.wav,match\n", "line 2", "3 cells for 2 columns"),
        ("input,reference,amount\na.wav,r.wav,2\n", "line 2", "outside 0 to 1"),
        ("input,reference,amount\na.wav,r.wav,much\n", "line 2", "amount: no number"),
        ("input,reference,method\na.wav,r.wav,macth\n", "line 2", "Did you mean match"),
        ("input,reference,chain\na.wav,r.wav,eq | comp\n", "line 2", "Unknown"),
        ("input,reference,chain\na.wav,r.wav,mine.toml\n", "line 2", "no chain file"),
        ("input,reference,name\na.wav,r.wav,One\nb.wav,r.wav,one\n", "line 3", "that of line 2 already"),
        ("input,reference,name\na.wav,r.wav,../up\n", "line 2", "cannot be a folder's name"),
        ("input,reference,name\na.wav,r.wav,index.html\n", "line 2", "cannot be a folder's name"),
        ('input,reference,stem\na.wav,r.wav,"x\ny"\nb.wav,q.wav,\n', "line 4", "nothing is at"),
        ('input,reference\na.wav,"r.wav\n', "line 2", "not valid CSV"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(tmp_path: Path, text: str, line: str, told: str) -> None:
    def number(cell: str) -> float:
        try:
            return float(cell)
        except ValueError:
            raise SettingsError("no number") from None

    with pytest.raises(SettingsError) as caught:
        read_pairs(table(tmp_path, text), make=make, options={**OPTIONS, "amount": number})
    assert f"pairs.csv{', ' if line else ''}{line}" in caught.value.message
    assert told in caught.value.message


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    rows = "".join(f"no{number}.wav,r.wav\n" for number in range(14))
    with pytest.raises(SettingsError) as caught:
        read(tmp_path, "input,reference\n" + rows)
    assert "line 2:" in caught.value.message
    assert "line 11:" in caught.value.message
    assert "and 4 more" in caught.value.message


def test_names_are_given_or_the_inputs_and_no_two_are_one(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("A.flac", "a.stem.mp4", "..odd:name?.wav", "x" * 230 + ".wav"):
        (tmp_path / "sub" / name).touch()
    pairs = read(
        tmp_path,
        "input,reference,name\na.wav,r.wav,\nsub/A.flac,r.wav,\nb.wav,r.wav,a-2\nsub/a.stem.mp4,r.wav,\n"
        f"sub/..odd:name?.wav,r.wav,\nsub,r.wav,Mein Stück\nsub/{'x' * 230}.wav,r.wav\n",
    )
    assert [pair.name for pair in pairs] == ["a", "A-3", "a-2", "a-4", "odd-name-", "Mein Stück", "x" * 200]


def test_paths_in_options_are_relative_to_the_table(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    assert anchored("chain", "my.toml", tmp_path) == str(tmp_path / "my.toml")
    assert anchored("encoder", "my.safetensors", tmp_path) == str(tmp_path / "my.safetensors")
    assert anchored("predictor", Path("p.safetensors"), tmp_path) == tmp_path / "p.safetensors"
    assert anchored("separator", "scnet:mine", tmp_path) == f"scnet:{tmp_path / 'mine'}"
    for option, name in (("chain", "mixing"), ("encoder", "features"), ("method", "nevergrad:DE"), ("stem", "mine")):
        assert anchored(option, name, tmp_path) == name
    (tmp_path / "my.toml").write_text('[[effects]]\neffect = "gain"\n')
    (pair,) = read(tmp_path, "input,reference,chain\na.wav,r.wav,my.toml\n")
    assert pair.engine.chain == str(tmp_path / "my.toml")


def test_the_songs_of_a_folder(tmp_path: Path) -> None:
    for name in (
        "b.wav",
        "a.flac",
        "ref.wav",
        ".hidden.wav",
        "notes.txt",
        "stems/drums.wav",
        "out/a/mix.wav",
        "x/y/z.wav",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    pairs = song_pairs(tmp_path, tmp_path / "ref.wav", make=make)
    assert [(pair.name, pair.input.name) for pair in pairs] == [("a", "a.flac"), ("b", "b.wav"), ("stems", "stems")]
    assert {pair.reference for pair in pairs} == {tmp_path / "ref.wav"}
    with pytest.raises(SettingsError, match="no songs"):
        song_pairs(tmp_path / "x" / "y", tmp_path / "x" / "y" / "z.wav", make=make)
    with pytest.raises(SettingsError, match="no reference"):
        song_pairs(tmp_path, tmp_path / "none.wav", make=make)
    with pytest.raises(UnknownNameError, match="macth"):
        song_pairs(tmp_path, tmp_path / "ref.wav", make=lambda given: Transfer(method="macth"))
