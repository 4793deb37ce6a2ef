"""Songs to train on and to evaluate with: finding, caching, normalising, manipulating."""
