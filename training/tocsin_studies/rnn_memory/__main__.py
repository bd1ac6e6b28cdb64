"""`python -m tocsin_studies.rnn_memory NAME`: the same as `tocsin experiment NAME`."""

import typer

from tocsin_studies.rnn_memory.cli import experiment

if __name__ == "__main__":
    typer.run(experiment)
