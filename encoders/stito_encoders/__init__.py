"""stito's first-party encoders and converters, written exactly as a third party writes theirs."""
