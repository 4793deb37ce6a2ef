"""What is trained: an encoder, a predictor, a converter; their data and losses."""
