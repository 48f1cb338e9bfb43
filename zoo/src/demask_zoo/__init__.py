"""The trained systems of earlier studies, as restorers of demask."""
