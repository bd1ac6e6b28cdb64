"""Study behind docs/adaptation.md: budgets of false alarms in patients unlike those trained on."""
