"""One effect, encoder, chain, search, separator and metric, as a third party writes them."""
