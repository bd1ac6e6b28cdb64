"""One model for any sensor: trained on simulated series, at home with every unit and period."""
