"""FXmanipulator (Koo et al. 2022): random mixing styles for training and evaluation."""
