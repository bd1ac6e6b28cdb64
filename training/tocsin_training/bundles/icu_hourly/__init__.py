"""Bundle `icu-hourly`: hourly intensive care records, their utility, its teacher and trees."""
