"""Many photos, one machine or many: what is done stays done, whatever is killed."""
