"""One transfer, a module for each thing that happens, from options to a result."""
