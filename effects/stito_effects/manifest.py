"""The first-party effects, chains and manipulator, announced exactly as a third party announces theirs."""

from stito.registry import Manifest

__all__ = ["MANIFEST"]

_PEDALBOARD = {
    "chorus": "modulation:PedalboardChorus",
    "compressor": "dynamics:PedalboardCompressor",
    "delay": "space:PedalboardDelay",
    "distortion": "levels:PedalboardDistortion",
    "eq": "equaliser:PedalboardEqualiser",
    "gain": "levels:PedalboardGain",
    "gate": "dynamics:PedalboardGate",
    "limiter": "dynamics:PedalboardLimiter",
    "phaser": "modulation:PedalboardPhaser",
    "reverb": "space:PedalboardReverb",
}

MANIFEST = Manifest(
    effects={
        "compressor": "stito_effects.compressor:Compressor",
        "convolution_reverb": "stito_effects.convolution_reverb:ConvolutionReverb",
        "delay": "stito_effects.delay:Delay",
        "eq": "stito_effects.eq:Equaliser",
        "expander": "stito_effects.expander:Expander",
        "gain": "stito_effects.gain:Gain",
        "imager": "stito_effects.imager:Imager",
        "limiter": "stito_effects.limiter:Limiter",
        "panner": "stito_effects.panner:Panner",
        "parametric_eq": "stito_effects.parametric_eq:ParametricEqualiser",
        "reverb": "stito_effects.reverb:Reverb",
        "saturation": "stito_effects.saturation:Saturation",
        "vst3": "stito_effects.vst3.effect:Vst3",
        **{f"pedalboard_{name}": f"stito_effects.pedalboard_effects.{target}" for name, target in _PEDALBOARD.items()},
    },
    chains={name: f"stito_effects.chains:{name}.toml" for name in ("mastering", "mixing", "pedalboard", "vocal")},
    faults={
        "bandwidth": "stito_effects.faults.tone:BANDWIDTH",
        "collapse": "stito_effects.faults.image:COLLAPSE",
        "compression": "stito_effects.faults.dynamics:COMPRESSION",
        "expansion": "stito_effects.faults.dynamics:EXPANSION",
        "gain": "stito_effects.faults.levels:GAIN",
        "peak": "stito_effects.faults.tone:PEAK",
        "placement": "stito_effects.faults.image:PLACEMENT",
        "reverb": "stito_effects.faults.space:REVERB",
        "shelf": "stito_effects.faults.tone:SHELF",
        "tilt": "stito_effects.faults.tone:TILT",
    },
    manipulators={"fxmanipulator": "stito_effects.fxmanipulator.manipulator:FXmanipulator"},
    defaults={
        "chain of a mix": "mastering",
        "chain of stems": "mixing",
        "manipulator": "fxmanipulator",
        "normalising compressor": "compressor",
        "normalising limiter": "limiter",
    },
)
