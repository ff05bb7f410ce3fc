"""Search methods compared on recorded curves: the real ledger and dispatcher, without training."""
