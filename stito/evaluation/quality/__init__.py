"""How well scores of mixes can be predicted from an encoder's embedding, on songs that no head was fitted to."""
