"""Printed tables: figures with their units, one table, and how it is laid out. No torch, no pandas."""
