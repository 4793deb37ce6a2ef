"""Methods: the ways to do a transfer, each a plug-in: closed forms, predictions, a converter, and every search."""
