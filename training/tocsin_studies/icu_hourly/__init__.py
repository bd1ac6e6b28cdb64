"""Study behind docs/icu-hourly.md: sepsis predicted from hourly records."""
