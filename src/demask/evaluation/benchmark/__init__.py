"""One command compares every way to fill the hole: restorers x pictures, resumable, with tables and a page."""
