"""How good an encoder is, on stems with known effects (Koo et al. 2022, Table 1)."""
