"""Degraded mixes: controlled faults on stems, each with a severity, and a label that says what was done."""
