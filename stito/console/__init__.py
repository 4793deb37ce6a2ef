"""The mixing console: presets on disk, every stem through its strip, the balance, the sum."""
