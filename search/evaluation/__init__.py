"""Rankings measured against judged queries, and weights tuned to them."""
