"""FX normalisation (Martínez-Ramírez et al. 2022): every stem like the average stem of its kind."""
