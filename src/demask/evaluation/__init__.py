"""How good is it: metrics, frozen sets, reports."""
