"""The `scnet` separator: SCNet through the pymss-core package, with a checkpoint of the user's.

Source: Tong et al., "SCNet: sparse compression network for music source separation", ICASSP 2024.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from stito.errors import MissingDependencyError, MissingFileError, WeightsError
from stito.models.weights import digest_of_file
from stito.separation.overlap import at_one_level, overlap_add

__all__ = ["SCNet"]

CHECKPOINTS = ("*.ckpt", "*.th", "*.pt")
WHERE = (
    "https://github.com/ZFTurbo/Music-Source-Separation-Training/releases/tag/v.1.0.6 has "
    "scnet_checkpoint_musdb18.ckpt and its config_musdb18_scnet.yaml: put both in a folder."
)
PACKED = ("best_state", "state", "state_dict", "model_state_dict")
"""Under which of these a checkpoint has its weights, the best first."""
NOT_SIZES = ("type", "model_type", "architecture")
SAMPLE_RATE, SEGMENT_S, OVERLAPS = 44_100, 11, 2


class SCNet:
    """A mix into the stems that the checkpoint knows: of most, drums, bass, other and vocals.

    Args:
        folder: a checkpoint (`.ckpt`, `.th`, `.pt`) and the YAML file it was trained by, as SCNet's authors and
            Music-Source-Separation-Training publish them.

    Raises:
        MissingDependencyError: pymss-core is not installed.
        MissingFileError, WeightsError: checkpoint or configuration are not there, or do not belong together.
    """

    name: ClassVar[str] = "scnet"

    def __init__(self, folder: str | Path = "") -> None:
        network = _definition()
        if not str(folder):
            raise MissingFileError("SCNet has no weights of its own.", hint=f"Use --separator scnet:FOLDER. {WHERE}")
        checkpoint, settings = (_only(Path(folder), patterns) for patterns in (CHECKPOINTS, ("*.yaml", "*.yml")))
        config = _config(settings)
        self._net = _network(network, config, checkpoint)
        audio, training = (config.get(part) or {} for part in ("audio", "training"))
        self.sample_rate = int(audio.get("sample_rate", SAMPLE_RATE))
        self._segment = int(audio.get("chunk_size", SEGMENT_S * self.sample_rate))
        self._at_one_level = bool((config.get("inference") or {}).get("normalize", "inference" not in config))
        target = training.get("target_instrument")
        self._sources = [target] if target else list(training.get("instruments") or self._net.sources)
        if len(self._sources) != len(self._net.sources):
            raise WeightsError(
                f"{settings} names {len(self._sources)} stems, and its network makes {len(self._net.sources)}.",
                hint="Its `training.instruments`, or `target_instrument`, and `model.sources` must agree.",
            )
        self.digest = digest_of_file(checkpoint) + digest_of_file(settings)

    @torch.no_grad()
    def separate(self, x: Tensor, on_progress: Callable[[float], None] | None = None) -> dict[str, Tensor]:
        """The stems (2, t) of a mix (2, t)."""

        def pieces(level: Tensor) -> Tensor:
            return overlap_add(self._net, level, self._segment, self._segment // OVERLAPS, on_progress)

        stems = at_one_level(pieces, x) if self._at_one_level else pieces(x)
        return dict(zip(self._sources, stems, strict=True))


def _definition() -> Any:
    try:
        from pymss_core.modules.scnet import SCNet as Network
    except ImportError as error:
        raise MissingDependencyError(
            f"The separator scnet needs pymss-core, which cannot be imported: {error}",
            hint="Install it with: pip install 'stito[scnet]'",
        ) from error
    return Network


def _network(network: Any, config: Mapping[str, Any], checkpoint: Path) -> Any:
    try:
        made = network(**{key: value for key, value in config["model"].items() if key not in NOT_SIZES})
        packed = torch.load(checkpoint, map_location="cpu", weights_only=True)
        packed = next((packed[key] for key in PACKED if isinstance(packed.get(key), dict)), packed)
        made.load_state_dict({key.removeprefix("module."): value for key, value in packed.items()})
    except Exception as error:  # files fail to be weights in any way they like
        raise WeightsError(
            f"{checkpoint} cannot be loaded as the SCNet of its configuration: {error}",
            hint="The folder must hold one checkpoint and the file of the training that made it.",
        ) from error
    made.stft_config["window"] = torch.ones(made.stft_config["win_length"])  # the default, which torch warns of
    return made.eval()


def _config(path: Path) -> Mapping[str, Any]:
    """A configuration; published ones have Python's tuples in them, which plain YAML has not."""
    import yaml

    class Loader(yaml.SafeLoader):  # type: ignore[misc]
        """Knows tuples too."""

    Loader.add_constructor(
        "tag:yaml.org,2002:python/tuple", lambda loader, node: tuple(loader.construct_sequence(node))
    )
    try:
        config = yaml.load(path.read_text(encoding="utf-8-sig"), Loader=Loader)  # a safe loader
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise WeightsError(f"{path} is no YAML: {error}", hint="Download it again.") from error
    if not isinstance(config, dict) or not isinstance(config.get("model"), dict):
        raise WeightsError(f"{path} describes no model.", hint="It needs the section `model`.")
    return config


def _only(folder: Path, patterns: tuple[str, ...]) -> Path:
    found = sorted(file for pattern in patterns for file in folder.glob(pattern))
    if len(found) != 1:
        raise MissingFileError(
            f"{folder} holds {len(found) or 'no'} files of the kind {', '.join(patterns)}; it needs one.", hint=WHERE
        )
    return found[0]
