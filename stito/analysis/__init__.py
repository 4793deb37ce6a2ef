"""What can be said of a mix without a transfer: its mixing features and its embeddings."""
