"""The papers' tables and figures on other data: many trainings, resumed, pooled and written to a page."""
