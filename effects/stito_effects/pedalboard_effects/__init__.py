"""Black-box effects rendered by pedalboard: what a plug-in host does, without gradients.

`base` runs them, `stages` describes what a board is made of, `export` writes settings out as a Python script; the other
modules hold one family of effects each.
"""
