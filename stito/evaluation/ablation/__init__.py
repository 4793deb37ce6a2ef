"""What each part of a recipe is worth: the same short training without it, on the same held-out songs."""
