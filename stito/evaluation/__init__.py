"""The papers' tables as commands: how good an encoder is, measured on stems with known effects."""
