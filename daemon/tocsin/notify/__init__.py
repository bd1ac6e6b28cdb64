"""Telling others of alarms: Alertmanager, webhooks, Home Assistant. Whoever is slow or away is told in the end."""
