"""Undoing damage: good mixes with faults on their stems, and how far methods bring them back.

A case is a place in a song of several stems, FX-normalised, with one to three faults of a stated severity on its stems.
A method is given the damaged stems and a reference: the mix before it was damaged (`itself`), or a good mix of another
song (`another`).

```
 good mix ─ faults ─▶ damaged mix ── method ──▶ result ─▶ its features against those of the good mix,
     └────────────────▶ itself ────────▲                  the severities that an encoder predicts
 other song ──────────▶ another ───────┘
```

A mix has come back where both are better than before: its structured features are closer to those of the undamaged mix,
and an encoder that finds faults predicts less severe ones.
"""
