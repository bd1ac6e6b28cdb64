"""Study behind docs/icu-hourly.md: sepsis announced from hourly records."""
