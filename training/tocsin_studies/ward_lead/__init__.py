"""Study behind docs/ward-lead.md: lead over fixed bedside limits."""
