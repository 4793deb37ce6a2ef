"""What an effect is, effects in series, and where chains come from."""
