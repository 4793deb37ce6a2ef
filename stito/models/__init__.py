"""What a network is here: an encoder, a converter, a predictor, and weights that describe themselves."""
