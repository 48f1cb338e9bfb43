"""The study's pages and the small server behind them; needs the extra `study`."""
