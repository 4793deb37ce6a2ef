"""The contracts of whatever plug-ins bring, as code that anyone can run on theirs.

```python
from stito.testing import check_effect

def test_my_effect_keeps_the_contract():
    check_effect(MyEffect())
```

A broken rule raises `ContractError`, which names the rule, the knob and the numbers.
"""

from __future__ import annotations

from stito.testing.converters import check_converter
from stito.testing.effects import check_effect
from stito.testing.encoders import check_encoder
from stito.testing.exporters import check_exporter
from stito.testing.faults import check_fault
from stito.testing.manipulators import check_manipulator
from stito.testing.methods import check_method
from stito.testing.metrics import check_metric
from stito.testing.probe import ContractError, probe
from stito.testing.searches import check_search

__all__ = [
    "ContractError",
    "check_converter",
    "check_effect",
    "check_encoder",
    "check_exporter",
    "check_fault",
    "check_manipulator",
    "check_method",
    "check_metric",
    "check_search",
    "probe",
]
