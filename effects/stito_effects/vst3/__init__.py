"""VST3 plug-ins as effects, each hosted by processes of its own, which may crash or hang without harm.

```
effect ─▶ host ═ pipe (wire) ═▶ worker ─▶ pedalboard ─▶ the plug-in
   └─ knobs: what the plug-in says of its parameters, as params with units
```
"""
