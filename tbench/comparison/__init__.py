"""Two finished runs side by side, case by case: what became slower, bigger, broken or missing, and how sure that is."""
