"""KPIs: the register that governs them, the measures they use, and the query that adds up their two sides."""
