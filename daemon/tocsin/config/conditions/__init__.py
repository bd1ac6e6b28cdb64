"""Conditions of alarms as the configuration gives them, one module a condition; docs/conditions.md describes each."""
