"""The first-party faults of mixes: effects at settings that no engineer would leave."""
