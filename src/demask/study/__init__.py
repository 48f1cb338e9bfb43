"""People judge pictures: plan, assignment, store, simulated people, analysis, report."""
