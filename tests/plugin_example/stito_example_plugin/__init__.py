"""One effect, one encoder, one chain and one search, as a third party writes them."""
