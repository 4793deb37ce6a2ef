"""Whether an encoder tells a good mix from a degraded one, on songs that it was not trained on."""
