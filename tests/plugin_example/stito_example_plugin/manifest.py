"""What this distribution offers, as strings: nothing else is imported until a name is used."""

from stito.registry import Manifest

__all__ = ["MANIFEST"]

MANIFEST = Manifest(
    effects={"example_tremolo": "stito_example_plugin.tremolo:Tremolo"},
    encoders={"example_encoder": "stito_example_plugin.bands:BandEncoder"},
    chains={"example_chain": "stito_example_plugin:example_chain.toml"},
    separators={"example_split": "stito_example_plugin.split:BandSplit"},
    methods={"example_halfway": "stito_example_plugin.halfway:Halfway"},
    searches={"example_hillclimb": "stito_example_plugin.hillclimb:HillClimb"},
    metrics={"example_highs_db": "stito_example_plugin.highs:HIGHS"},
)
