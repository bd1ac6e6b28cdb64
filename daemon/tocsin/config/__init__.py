"""Configuration: one YAML file, checked as a whole before the daemon starts."""

from tocsin.config.check import Checked, check
from tocsin.config.document import Fault
from tocsin.config.schema import Config

__all__ = ["Checked", "Config", "Fault", "check"]
