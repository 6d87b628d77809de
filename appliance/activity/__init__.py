"""Layer 2: what happens and has happened: transfers that run, the audit trail, the stores' history, metrics."""
