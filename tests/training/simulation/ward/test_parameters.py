"""Sources and consistency of the simulator's parameters."""

from tocsin_training.simulation.ward import parameters


def figures():
    for name, figure in vars(parameters).items():
        for one in figure if isinstance(figure, tuple) else (figure,):
            if isinstance(one, parameters.Range | parameters.Wander):
                yield name, one


def test_every_figure_has_a_unit_and_a_source():
    found = list(figures())
    assert len(found) > 70
    for name, figure in found:
        assert figure.unit, name
        assert len(figure.source) >= len(parameters.ASSUMPTION), name


def test_ranges_are_in_order():
    for name, figure in figures():
        if isinstance(figure, parameters.Range):
            assert figure.low <= figure.high, name


def test_deterioration_rates_sum_to_what_was_observed():
    observed = 111 / (18_248 / 24)  # events a patient and day
    total = sum(
        rate.low
        for rate in (
            parameters.RATE_SEPSIS,
            parameters.RATE_HAEMORRHAGE,
            parameters.RATE_APNOEA,
            parameters.RATE_TACHYARRHYTHMIA,
        )
    )
    assert abs(total - observed) < 0.002
