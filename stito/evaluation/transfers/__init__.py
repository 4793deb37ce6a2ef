"""Transfers with a known truth: Table 2 of Koo et al. (2022), for searches and for converters.

Stems of two songs, A and B, both FX-normalised, get the same random effects. A method is given A as its input and
the manipulated B as its reference; the truth is the manipulated A. Since the truth is known, a metric can measure the
distance of a result to it; nobody's taste is needed:

```
 A ──────────────── method ──▶ result ─┐
                      ▲                ├─▶ multi-scale spectral distance
 B ─ effects ─▶ reference              │
 A ─ effects ─▶ truth ─────────────────┘
```

All results but `input` and `oracle` get the level that the reference asks for: since normalised stems of one kind have
one loudness, what the reference's differs from it is the effects' doing. Beyond the paper, A may also arrive `mixed`:
with random effects of its own, as the stems of musicians do. In a `multitrack` every kind of stem is transferred, and
their sum is what is compared; a `separator` then takes the reference apart, whose stems nobody has.

`plan` says what is run, `cases` draws it, `methods` runs one method on one case, `run` all of them, side by side if
wanted, `rows` keeps what is measured, `summary` and `page` sum it up.
"""
