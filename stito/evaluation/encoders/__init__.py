"""How good an encoder is, on stems whose effects are known (Koo et al. 2022, Table 1)."""
