"""Training: recipes, batches, losses, and the one loop that every recipe runs in."""
