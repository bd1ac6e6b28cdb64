"""Studies: the programs behind the pages of figures. They run from a checkout, `python -m tocsin_studies.NAME`."""
