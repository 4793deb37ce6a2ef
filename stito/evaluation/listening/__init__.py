"""Listening tests: people rate the same sounds that metrics measure.

A test is a multi-stimulus test with hidden reference and anchors (MUSHRA, ITU-R BS.1534-3): a listener hears an open
reference and, in random order and without names, each system's version, the reference itself and low-passed versions
of it, and rates how like the reference each one is, from 0 to 100.

```
 folders of sounds ─▶ trials ─▶ stimuli ─▶ build ─▶ page/, webmushra/, key.json
 responses/*.json or mushra.csv + key.json ─▶ responses ─▶ analysis ─▶ result.json, report.html
```

`key.json` lists which stimulus is what; it stays with whoever runs the test.
"""
