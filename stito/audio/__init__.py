"""The audio edge: files in any usual format to float32 tensors and back, as they came.

Everything that knows of soundfile, PyAV or soxr lives in this package.
"""

from stito.audio.downmix import in_pairs, to_stereo
from stito.audio.model import (
    SUBTYPES,
    Audio,
    AudioFormat,
    digest_of,
    is_silent,
    peak_of,
    require_sane_peak,
    require_sound,
)
from stito.audio.read import AUDIO_SUFFIXES, is_audio_file, read_audio
from stito.audio.resampling import resample
from stito.audio.stemfile import is_stem_file, read_stem_file
from stito.audio.write import keep_inputs, write_audio
from stito.files.atomic import check_writable, write_atomic

__all__ = [
    "AUDIO_SUFFIXES",
    "SUBTYPES",
    "Audio",
    "AudioFormat",
    "check_writable",
    "digest_of",
    "in_pairs",
    "is_audio_file",
    "is_silent",
    "is_stem_file",
    "keep_inputs",
    "peak_of",
    "read_audio",
    "read_stem_file",
    "require_sane_peak",
    "require_sound",
    "resample",
    "to_stereo",
    "write_atomic",
    "write_audio",
]
