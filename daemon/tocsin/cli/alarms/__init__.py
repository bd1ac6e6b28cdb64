"""`tocsin alarms`."""
