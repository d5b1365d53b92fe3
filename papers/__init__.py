"""The runs behind tables: many trainings, resumed, pooled and written down."""
