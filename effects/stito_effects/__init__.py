"""The first-party effects, written exactly as a third party writes theirs."""
