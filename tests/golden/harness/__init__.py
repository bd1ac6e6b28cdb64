"""The daemon without a broker, behind an interface of plain data. Only these modules import `tocsin`."""
