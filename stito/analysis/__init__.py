"""What can be measured of a mix without a transfer: its mixing features and its embeddings."""
