"""Searches for the theta of least loss, under one driver.

`create` makes one by name, `minimise` runs it. The libraries beneath are imported when a search that needs them is
created.
"""

from stito.search.base import Budget, Found, Patience, Search, Step, StopReason
from stito.search.driver import Loss, minimise
from stito.search.factory import create, known

__all__ = ["Budget", "Found", "Loss", "Patience", "Search", "Step", "StopReason", "create", "known", "minimise"]
