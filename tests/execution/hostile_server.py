"""Imported by the server that workers are forked from: what tests want registered there."""

from __future__ import annotations

from tests.execution import experiment, hostile

hostile.register()
experiment.register()
