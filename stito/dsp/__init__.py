"""Signal processing as pure functions on tensors; nothing here knows of effects or encoders."""
